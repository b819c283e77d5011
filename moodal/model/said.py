"""Said: words that come with their times while a recording is made, as the cues of subtitles."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from moodal.core.errors import UsageError
from moodal.core.records import RATE
from moodal.media.subtitles import Cue
from moodal.model.segmentation import Segment, Segmentation, cue_at, segment_of

WAIT = 20.0
"""Seconds after their beginning in which words are waited for; the sound is kept for so long."""


@dataclass
class Said(Segmentation):
    """The segmentation by words as they come: each is an utterance, and other speech is none.

    Words come in the order of their beginnings. So where words have come, no earlier utterance
    follows, and an utterance is complete as soon as its sound has passed.

    Attributes:
        heard: the second up to which the sound was read.
        since: the second before which words are too late, since utterances were answered.
        late: the number of those that were too late.
    """

    heard: float = 0.0
    since: float = 0.0
    late: int = 0
    _cues: list[Cue] = field(default_factory=list)
    _last: float = 0.0

    @property
    def settled(self) -> float:
        """The second before which no words can begin any more."""
        return max(self._last, self.since, self.heard - WAIT)

    @property
    def latest(self) -> float:
        """The second at which the latest words end."""
        return self._cues[-1].end if self._cues else 0.0

    def hear(self, start: float, samples: np.ndarray) -> list[Segment]:
        """Take note of the time."""
        self.heard = start + len(samples) / RATE
        return []

    def say(self, cue: Cue) -> list[Segment]:
        """Return the utterance that words are; none if they come too late.

        Raises:
            UsageError: there are no words, or their times are wrong.
        """
        if not cue.text.strip():
            raise UsageError("There are no words in what was said; leave it out.")
        if not 0 <= cue.start < cue.end < math.inf:
            raise UsageError(
                "Words begin at 0 s or later and end after their beginning; got "
                f"{cue.start!r} to {cue.end!r}."
            )
        if cue.start < self._last:
            raise UsageError(
                "Words come in the order of their beginnings; got "
                f"{cue.start:g} s after {self._last:g} s."
            )
        if cue.start < self.settled:
            self.late += 1
            return []
        self._last = cue.start
        self._cues = [one for one in self._cues if one.end > self.heard - WAIT] + [cue]
        return [segment_of(cue)]

    def current(self, now: float) -> Segment | None:
        """Return the words of second ``now``."""
        return cue_at(self._cues, now)

    def note(self) -> str:
        """Return a sentence on words that were not used; "" if all were."""
        if not self.late:
            return ""
        what = "Words of 1 utterance were" if self.late == 1 else f"Words of {self.late} were"
        return f"{what} not used, since they came too late."
