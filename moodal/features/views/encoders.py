"""Encoders of second views: the medium changed, then encoded by the stream's own encoder.

As one encoder in two steps, so that the store keeps views like any features, under
fingerprints of their own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.records import RATE, Clip
from moodal.features.views.audio import AudioRecipe, audio_view
from moodal.features.views.text import TextRecipe, text_view
from moodal.media.audio import check_audio, read_audio
from moodal.modalities.encoder import Encoder, dtype_of, package_folder

REVISION = 1
"""Raised whenever what is made from the same seed changes."""


@dataclass(frozen=True)
class _View:
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
        return dtype_of(self.base)

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

    def check(self, item: Clip) -> None:
        """Raise DataError if the clip is missing, unreadable, or shorter than its span."""
        check: Callable[[Clip], None] | None = getattr(self.base, "check", None)
        if check:
            check(item)
        else:
            check_audio(item.path, item.start, item.end)

    def encode(self, item: Clip) -> np.ndarray:
        """Features [T, D] of the changed clip.

        Raises:
            DataError: the clip cannot be read.
        """
        samples = read_audio(item.path, rate=RATE, start=item.start, end=item.end)
        changed = audio_view(samples, self.seed, self.number, self.recipe)
        encode_samples: Callable[[np.ndarray], np.ndarray] | None
        encode_samples = getattr(self.base, "encode_samples", None)
        if encode_samples:
            return encode_samples(changed)
        import soundfile

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "view.wav"
            soundfile.write(path, changed, RATE, subtype="FLOAT")
            return self.base.encode(Clip(str(path)))


@dataclass(frozen=True)
class TextView(_View):
    """``base``'s features [T, D] of a text said a little differently.

    What is drawn depends on seed, number and the text alone.
    """

    recipe: TextRecipe = field(default_factory=TextRecipe)

    def encode(self, item: str) -> np.ndarray:
        """Features [T, D] of the changed text; of the text itself where it has none."""
        return self.encode_many([item])[0]

    def encode_many(self, items: Sequence[str]) -> list[np.ndarray]:
        """The same of many texts."""
        changed = self._encoded([text_view(t, self.seed, self.number, self.recipe) for t in items])
        bare = [i for i, features in enumerate(changed) if not len(features)]
        for i, features in zip(bare, self._encoded([items[i] for i in bare]), strict=True):
            changed[i] = features
        return changed

    def _encoded(self, texts: list[str]) -> list[np.ndarray]:
        many: Callable[[list[str]], list[np.ndarray]] | None
        many = getattr(self.base, "encode_many", None)
        if many and texts:
            return list(many(texts))
        return [self.base.encode(text) for text in texts]
