"""Pending: the evidence for an utterance, which waits until its level or its speaker is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from moodal.core.timeline import Prediction
from moodal.modalities.modality import Observed
from moodal.model.scorer import Evidence
from moodal.model.slices import Slices


@dataclass(frozen=True)
class Pending:
    """The evidence for one utterance whose level is not known yet.

    Attributes:
        about: the prediction without emotions.
        observed: modality -> what was observed, without its medium.
        evidence: of this one utterance.
        slices: the evidence of its slices, where they were asked for.
    """

    about: Prediction
    observed: Mapping[str, Observed]
    evidence: Evidence
    slices: Slices | None = None

    def called(self, about: Prediction) -> Pending:
        """Return the same evidence under the final names of ``about``, in its slices too."""
        slices = self.slices
        if slices is not None:
            own = tuple(
                dataclasses.replace(one, speaker=about.speaker, person=about.person)
                for one in slices.about
            )
            slices = dataclasses.replace(slices, about=own)
        return dataclasses.replace(self, about=about, slices=slices)
