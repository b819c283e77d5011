"""Review queue: utterances in the order in which an annotator should see them, and decisions.

The least certain utterances come first: those on which the model abstained or that are flagged,
then by the margin between the two most probable emotions. A correction teaches most there.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from moodal.core.correction import Correction, CorrectionFile, CorrectionKind, corrections_of
from moodal.core.errors import DataError, UsageError
from moodal.core.timeline import Prediction, Timeline
from moodal.media.probe import is_recording
from moodal.output.results import PLAYED, recording_of
from moodal.serve.decision import corrected

Order = Literal["uncertain", "random", "time"]
ORDERS: tuple[Order, ...] = ("uncertain", "random", "time")

Key = tuple[str, str]
"""The path and the id of an utterance."""


@dataclass(frozen=True)
class ReviewItem:
    """An utterance that waits for a decision.

    Attributes:
        number: its place among all utterances, by which clients name it.
        timeline, prediction: what the model says.
        media: the file that the results name as the recording; None if it was not found.
    """

    number: int
    timeline: Timeline
    prediction: Prediction
    media: Path | None


class Review:
    """The review of results by one annotator.

    Args:
        timelines: the results; those of values have nothing to review.
        file: receives the decisions.
        annotator: a name, which each row keeps.
        blind: whether the answer of an utterance is hidden until the annotator has decided.
        order: "uncertain", "random" or "time".
        folders: where recordings are looked for besides their own paths.
        names: pseudonym of a recording -> its path, where the results have pseudonyms.

    Raises:
        DataError: there is no utterance with emotions.
    """

    def __init__(
        self,
        timelines: Sequence[Timeline],
        file: CorrectionFile,
        *,
        annotator: str = "",
        blind: bool = False,
        order: Order = "uncertain",
        folders: Sequence[Path] = (),
        names: Mapping[str, str] | None = None,
    ):
        self.file, self.annotator, self.blind = file, annotator, blind
        self.timelines = [t for t in timelines if t.emotions]
        real = names or {}
        media = {t.path: recording_of(t, folders, real.get(t.path)) for t in self.timelines}
        utterances = [(t, p) for t in self.timelines for p in t if p.probabilities]
        self.items = [ReviewItem(i, t, p, media[t.path]) for i, (t, p) in enumerate(utterances)]
        if not self.items:
            raise DataError("The results hold no utterance with emotions; there is nothing to do.")
        self.queue = ordered_queue(self.items, order)
        self._listed: tuple[tuple[Correction, ...], dict[Key, dict[str, str]]] = ((), {})

    @property
    def left(self) -> int:
        """The number of utterances without a decision on their emotion."""
        decided = self._decided()
        return sum("emotion" not in decided.get(_key(item), {}) for item in self.items)

    @property
    def notes(self) -> list[str]:
        """The notes for the annotator, one sentence each."""
        lost = sorted({i.timeline.path for i in self.items if i.media is None and _has_media(i)})
        notes = []
        if lost:
            more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
            notes.append(f"Not found, so that it cannot be played: {', '.join(lost[:3])}{more}.")
        if self.file.mended:
            notes.append("The last row of the corrections had been cut off, and was removed.")
        return notes

    def item(self, number: int) -> ReviewItem:
        """Return an utterance.

        Raises:
            DataError: there is no such number.
        """
        if not 0 <= number < len(self.items):
            raise DataError(f"There is no utterance {number} in the queue.")
        return self.items[number]

    def recording(self, number: int) -> Path | None:
        """Return the recording of an utterance; None of any other file, or if it has gone.

        Raises:
            DataError: there is no such utterance.
        """
        path = self.item(number).media
        return path if path is not None and is_recording(path) else None

    def decide(self, number: int, changes: Mapping[CorrectionKind, str]) -> tuple[Correction, ...]:
        """Write a decision to the file; return its rows, none where it changes nothing.

        Raises:
            DataError: there is no such utterance, or the emotion was not asked for.
            OutputError: the file cannot be written.
        """
        item = self.item(number)
        return self.file.decide(
            corrections_of(item.timeline, item.prediction, changes, self.annotator)
        )

    def undo(self) -> ReviewItem | None:
        """Take the annotator's last decision back, and return its utterance; None without any."""
        places = {(row.recording, row.id) for row in self.file.undo(self.annotator)}
        return next((item for item in self.items if _key(item) in places), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the queue as JSON values, without the answers that are still hidden."""
        decided = self._decided()
        return {
            "annotator": self.annotator,
            "blind": self.blind,
            "total": len(self.items),
            "left": self.left,
            "notes": self.notes,
            "items": [self._shown(item, decided) for item in self.queue],
        }

    def shown(self, item: ReviewItem) -> dict[str, Any]:
        """Return an utterance as JSON values, without its answer while that is hidden."""
        return self._shown(item, self._decided())

    def export(self, format: str, number: int | None = None) -> str:
        """Return corrected results as the text of a file.

        Args:
            format: one of `moodal.serve.decision.EXPORTS`.
            number: an utterance of the recording; None for all of them, where a file may hold
                several.

        Raises:
            UsageError: answers are still hidden, or a recording has to be named.
        """
        rows = [row for row in self.file.rows if row.annotator == self.annotator]
        return corrected(rows, format, lambda: self._results(number))

    def _results(self, number: int | None) -> Sequence[Timeline]:
        """Return the results that are exported; a blind review shows none before all is decided."""
        if self.blind and self.left:
            raise UsageError(
                f"{self.left} utterances are undecided, and this file would show their answers."
            )
        return self.timelines if number is None else [self.item(number).timeline]

    def _decided(self) -> Mapping[Key, Mapping[str, str]]:
        """Return the annotator's decisions, which are listed once after each change of the file."""
        rows, decided = self._listed
        if rows is not self.file.rows:
            rows, decided = self.file.rows, {}
            for row in rows:
                if row.annotator == self.annotator:
                    decided.setdefault((row.recording, row.id), {})[row.kind] = row.new
            self._listed = rows, decided
        return decided

    def _shown(self, item: ReviewItem, decided: Mapping[Key, Mapping[str, str]]) -> dict[str, Any]:
        p, own = item.prediction, decided.get(_key(item), {})
        shown = {
            "item": item.number,
            "recording": Path(item.timeline.path).name or "text",
            "id": p.id,
            "kind": item.timeline.kind,
            "start": p.start,
            "end": p.end,
            "text": p.text,
            "person": p.person or p.speaker,
            "emotions": list(item.timeline.emotions),
            "media": None if item.media is None else f"/v1/review/media/{item.number}",
            "decided": dict(own),
        }
        if not self.blind or "emotion" in own:
            shown["answer"] = {
                "label": p.label,
                "probabilities": {e: round(v, 4) for e, v in p.probabilities.items()},
                "flags": list(p.flags),
            }
        return shown


def ordered_queue(items: Iterable[ReviewItem], order: Order) -> list[ReviewItem]:
    """Sort utterances for review.

    Args:
        order: "uncertain": see the module; "random": the same order each time, for figures that
            hold for all utterances; "time": recording by recording.
    """
    listed = list(items)
    if order == "time":
        return sorted(listed, key=lambda i: (i.timeline.path, i.prediction.start or 0.0, i.number))
    if order == "random":
        random.Random(0).shuffle(listed)
        return listed
    return sorted(listed, key=lambda i: (not _is_doubtful(i.prediction), margin(i.prediction)))


def margin(p: Prediction) -> float:
    """Return the difference between the two highest probabilities, 0 to 1."""
    first, second, *_ = sorted([*p.probabilities.values(), 0.0, 0.0], reverse=True)
    return first - second


def _is_doubtful(p: Prediction) -> bool:
    return not p.decided or bool(p.flags)


def _key(item: ReviewItem) -> Key:
    return item.timeline.path, item.prediction.id


def _has_media(item: ReviewItem) -> bool:
    return item.timeline.kind in PLAYED
