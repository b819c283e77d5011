"""The encoder of augmented second views of sound: the sound is changed, then encoded.

Both steps are one encoder, so that a feature store keeps views like any other features, under a
fingerprint of the encoder, the change and the seed.
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
    """An encoder of clips that augments them with another voice, room and channel.

    A view depends on the seed, its number and the clip's samples at 16 kHz alone.

    Attributes:
        base: the encoder of the changed sound.
        number: the number of the view of a clip; each number gives another view.
        seed: the seed of the views.
        recipe: the probabilities and bounds of the changes.
    """

    base: Encoder
    number: int = 0
    seed: int = 0
    recipe: AudioRecipe = field(default_factory=AudioRecipe)

    @property
    def name(self) -> str:
        """The name in `spec`, after which a store names its folder."""
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
