"""Model: an artefact that is ready to predict, whatever system it holds.

import moodal
timeline = moodal.load().predict("interview.mp4")
for utterance in timeline:
    print(utterance.start, utterance.top, utterance.probabilities)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodal.model.options import EvaluateOptions
from moodal.model.predict import PredictingModel

if TYPE_CHECKING:
    from moodal.core.manifest import Manifest


@dataclass(frozen=True, repr=False)
class Model(PredictingModel):
    """An artefact that predicts recordings, can be evaluated on corpora and adapted to words."""

    def evaluate(
        self,
        corpus: Manifest | Path | str,
        out: Path | str,
        *,
        root: Path | str | None = None,
        options: EvaluateOptions | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Test the model on a corpus and write a report, see `moodal.model.evaluate.evaluate`.

        Args:
            corpus: a manifest, or what `moodal.model.evaluate.rows_of` reads: a prepared folder,
                a table of raw media, or the name of a corpus with its ``root``.
            out: folder for report.json, report.md, predictions and figures.
            root: the folder that paths start from, or in which the named corpus lies.
            options, more: see `moodal.model.options.EvaluateOptions`.
        """
        # corpora and reports take longer to import than a prediction takes
        from moodal.model.evaluate import evaluate, rows_of

        manifest = rows_of(corpus, root) if isinstance(corpus, Path | str) else corpus
        return evaluate(self, manifest, out, options, **more)

    def adapt(
        self,
        word: str,
        clips: Sequence[Path | str],
        out: Path | str,
        *,
        negatives: Sequence[Path | str] = (),
        replace: bool = False,
    ) -> Path:
        """Write a new artefact that knows a word from a few clips, see `moodal.model.adapt`.

        Raises:
            UsageError: the model is a trained system, whose emotions are those of its training.
        """
        from moodal.model.adapt import adapt

        return adapt(self, word, clips, out, negatives=negatives, replace=replace)
