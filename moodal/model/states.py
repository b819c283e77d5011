"""States: what a branch makes of a whole text, clip or picture: the mean of its states.

A branch's logit is linear in this mean, so it is all that need be kept of a row to ask for any
words, and all that need be known of a clip to learn a word from it. As an encoder it goes through
`moodal.features.encode`: in parallel, with progress, kept in a store that a killed run goes on
from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.records import RATE, Clip
from moodal.media.audio import read_audio
from moodal.media.probe import probe
from moodal.media.video import frames
from moodal.modalities.encoder import Encoder, Item, specification
from moodal.modalities.face.detect import SIDE
from moodal.modalities.face.pixels import Pixels
from moodal.modalities.speech.spoken import spoken
from moodal.modalities.text.minilm import tokenizer
from moodal.model import artefact
from moodal.model.artefact import Artefact
from moodal.model.branches import Branch, read_branches
from moodal.model.observe import PAUSE, QUIET


@dataclass(frozen=True)
class States(Encoder):
    """The mean state [1, H] of a text or clip; [0, H] where there is no word, sound or face.

    The whole clip is one utterance, as `predict(whole=True)` hears and sees it.

    Attributes:
        artefact: folder of the artefact.
        stream: which of its branches.
        network: hash of what makes the states, so that artefacts of the same networks share them.
        width: H.
        heard: of the text branch: items are clips, whose words Whisper hears.
        fps: of the face branch: pictures per second that are looked at.
    """

    artefact: str = ""
    stream: str = ""
    network: str = ""
    width: int = 0
    heard: bool = False
    fps: float = 5.0
    name: ClassVar[str] = "states"
    rate: ClassVar[None] = None

    @classmethod
    def of(cls, found: Artefact, branch: Branch, heard: bool = False) -> States:
        """Of a branch of an artefact that was read."""
        graph = found.fused.branches[branch.stream].graph
        network = found.info.files[graph][:24]
        return cls(str(found.folder), branch.stream, network, len(branch.map), heard)

    def spec(self) -> dict[str, Any]:
        """See `moodal.modalities.encoder.specification`."""
        packages = ["dlib-bin", "av"] if self.stream == "face" else []
        revision = 3 if self.heard else 2
        return specification(self, packages=packages, revision=revision, places=("artefact",))

    def encode(self, item: Item) -> np.ndarray:
        """The mean state [1, H] or [0, H].

        Raises:
            DataError: the clip cannot be read.
        """
        if isinstance(item, np.ndarray):
            raise UsageError("States are of texts and clips; got an array.")
        states = self._states(item)
        if states is None or not len(states):
            return np.zeros((0, self.width), np.float32)
        return np.asarray(states.mean(0, keepdims=True), np.float32)

    def _states(self, item: str | Clip) -> np.ndarray | None:
        branch = _branch(self.artefact, self.stream)
        if isinstance(item, str):
            ids = tokenizer().encode(item).ids
            return branch.pieces(np.array(ids, np.int64)) if len(ids) > 2 else None
        if self.stream == "face":
            return branch.faces(face_pixels(item, self.fps))
        try:
            samples = read_audio(item.path, rate=RATE, start=item.start, end=item.end)
        except DataError:
            if probe(item.path).has_audio:
                raise
            return None  # a picture, or a film without sound: it lacks it, and is not damaged
        samples = spoken(samples)
        if not audible(samples):
            return None
        if self.heard:
            from moodal.modalities.speech.transcribe import words

            return self._states(" ".join(w.text for w in words(samples, RATE, threads=1)))
        return branch.sound(samples)


def face_pixels(clip: Clip, fps: float = 5.0) -> np.ndarray:
    """The main face [T, 2304] of a video or picture; a picture of 48 x 48 is a face already.

    Raises:
        DataError: the clip cannot be read.
    """
    if is_crop(probe(clip.path)):
        return Pixels().of_image(next(iter(frames(clip.path))).rgb)
    return Pixels(fps).encode(clip)


@cache
def _branch(folder: str, stream: str) -> Branch:
    """The branch, read once in each process."""
    return read_branches(artefact.read(folder), 1)[stream]
