"""Encoders of second views: the medium changed, then encoded by the stream's own encoder.

As one encoder in two steps, so that the store keeps views like any features, under
fingerprints of their own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moodal.features.views.audio import AudioRecipe, audio_view
from moodal.features.views.text import TextRecipe, text_view
from moodal.modalities.encoder import Encoder, Item, package_folder, text_of
from moodal.modalities.speech.samples import samples_of

REVISION = 1
"""Raised whenever what is made from the same seed changes."""


@dataclass(frozen=True)
class _View(Encoder):
    """An encoder that changes what it reads before ``base`` encodes it.

    Attributes:
        base: the stream's encoder.
        number: which of the views of a medium; each is another.
        seed: another one makes other views.
        recipe: what is changed, how often and how far.
    """

    base: Encoder
    number: int = 0
    seed: int = 0
    recipe: Any = None

    @property
    def name(self) -> str:
        """As in `spec`: what the store calls its shelf."""
        return f"{self.base.spec()['name']}-view"

    @property
    def stream(self) -> str:
        return self.base.stream

    @property
    def width(self) -> int:
        return self.base.width

    @property
    def rate(self) -> float | None:
        return self.base.rate

    @property
    def dtype(self) -> str:
        return self.base.dtype

    def spec(self) -> dict[str, Any]:
        """The base's specification, the change, and a fingerprint over both.

        Unlike that of other encoders it is not for `moodal.modalities.build.build`: a view
        is for training, and prediction never makes one.
        """
        packages = ["numpy"]
        if self.stream == "speech":
            package_folder("python_stretch")
            packages.append("python-stretch")
        about = {
            "name": self.name,
            "parameters": {
                "base": self.base.spec(),
                "number": self.number,
                "seed": self.seed,
                "recipe": dataclasses.asdict(self.recipe),
            },
            "version": ", ".join(f"{p} {importlib.metadata.version(p)}" for p in packages),
            "width": self.width,
        }
        whole = json.dumps([about, REVISION], sort_keys=True).encode()
        return {**about, "fingerprint": hashlib.sha256(whole).hexdigest()[:32]}


@dataclass(frozen=True)
class SpeechView(_View):
    """``base``'s features [T, D] of a clip in another voice, room and channel.

    What is drawn depends on seed, number and the clip's samples at 16 kHz alone.
    """

    recipe: AudioRecipe = field(default_factory=AudioRecipe)

    def check(self, item: Item) -> None:
        """Raise DataError if the base cannot read the clip."""
        self.base.check(item)

    def encode(self, item: Item) -> np.ndarray:
        """Return features [T, D] of the changed clip.

        Raises:
            DataError: the clip cannot be read.
        """
        changed = audio_view(samples_of(item), self.seed, self.number, self.recipe)
        return self.base.encode(changed)


@dataclass(frozen=True)
class TextView(_View):
    """``base``'s features [T, D] of a text said a little differently.

    What is drawn depends on seed, number and the text alone.
    """

    recipe: TextRecipe = field(default_factory=TextRecipe)

    def encode(self, item: Item) -> np.ndarray:
        """Features [T, D] of the changed text; of the text itself where it has none."""
        return self.encode_many([item])[0]

    def encode_many(self, items: Sequence[Item]) -> list[np.ndarray]:
        """The same of many texts."""
        texts = [text_of(item) for item in items]
        changed = self.base.encode_many(
            [text_view(text, self.seed, self.number, self.recipe) for text in texts]
        )
        bare = [i for i, features in enumerate(changed) if not len(features)]
        for i, features in zip(bare, self.base.encode_many([texts[i] for i in bare]), strict=True):
            changed[i] = features
        return changed
