"""The encoder of made second views of sound: the sound is changed, then encoded.

It is one encoder in two steps, so that a feature store keeps views as it keeps any features, under
a fingerprint that names the encoder, the change and the seed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moodal.features.views.audio import AudioRecipe, audio_view
from moodal.modalities.encoder import Encoder, Item, package_folder
from moodal.modalities.speech.samples import samples_of

REVISION = 1
"""Raised whenever the views that one seed gives change."""


@dataclass(frozen=True)
class SpeechView(Encoder):
    """The features [T, D] of a clip in another voice, room and channel.

    A view depends on the seed, its number and the clip's samples at 16 kHz alone.

    Attributes:
        base: the encoder of the changed sound.
        number: which of the views of a clip; each is different.
        seed: another seed gives other views.
        recipe: what is changed, how often and how far.
    """

    base: Encoder
    number: int = 0
    seed: int = 0
    recipe: AudioRecipe = field(default_factory=AudioRecipe)

    @property
    def name(self) -> str:
        """The name in `spec`, by which a store calls its folder."""
        return f"{self.base.spec()['name']}-view"

    @property
    def stream(self) -> str:
        """The base's modality."""
        return self.base.stream

    @property
    def width(self) -> int:
        """The base's values per step."""
        return self.base.width

    @property
    def rate(self) -> float | None:
        """The base's steps per second."""
        return self.base.rate

    @property
    def dtype(self) -> str:
        """The base's precision."""
        return self.base.dtype

    def spec(self) -> dict[str, Any]:
        """Return the base's specification, the change, and a fingerprint of both.

        `moodal.modalities.build.build` does not rebuild it: views are for training, and
        prediction never makes one.

        Raises:
            MissingDependencyError: python-stretch is not installed.
        """
        package_folder("python_stretch")
        packages = ["numpy", "python-stretch"]
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
