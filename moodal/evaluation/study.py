"""Compare the conditions of a study: participants' means, condition means and paired contrasts.

Utterances of one person are similar, so every figure is made of one mean per participant and
condition, and intervals come from resampling participants, each with all that they did.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from moodal.core.errors import DataError
from moodal.core.files import replacing
from moodal.core.guard import cell
from moodal.core.timeline import Timeline
from moodal.evaluation.design import Design, DesignRow, read_design
from moodal.evaluation.participant_means import (
    ConditionMean,
    Contrast,
    ParticipantMeans,
    condition_means,
    contrasts_of,
)
from moodal.evaluation.report.intervals import describe
from moodal.evaluation.study_observations import (
    MissingRecording,
    StudyMeasure,
    StudyObservation,
    measures_of,
    observe,
)

COLUMNS = (
    *("recording", "participant", "condition", "session", "channel"),
    *("utterances", "seconds", "measure", "value"),
)
"""The columns of the long table."""


@dataclass(frozen=True)
class Study:
    """The figures of a study.

    Attributes:
        measures: in the order of tables.
        observations: one per row of the design whose recording was given.
        conditions: a mean per condition and measure.
        contrasts: a difference per pair of conditions and measure.
        missing: recordings that are missing in the design or among the timelines.
        counts: numbers of rows, recordings, participants, conditions, and of participants who lack
            a condition.
        notes: what a reader should know, one sentence each.
        draws, seed: of the bootstrap.
    """

    measures: tuple[StudyMeasure, ...]
    observations: tuple[StudyObservation, ...]
    conditions: tuple[ConditionMean, ...]
    contrasts: tuple[Contrast, ...]
    missing: tuple[MissingRecording, ...]
    counts: Mapping[str, int]
    notes: tuple[str, ...]
    draws: int
    seed: int

    @property
    def rows(self) -> tuple[dict[str, str | float | None], ...]:
        """The long table: a row per observation and measure, with `COLUMNS`."""
        return tuple(
            {
                "recording": o.row.recording,
                "participant": o.row.participant,
                "condition": o.row.condition,
                "session": o.row.session,
                "channel": o.row.channel,
                "utterances": o.utterances,
                "seconds": None if o.seconds is None else round(o.seconds, 3),
                "measure": m.name,
                "value": round(o.values[m.name], 6) + 0.0,
            }
            for o in self.observations
            for m in self.measures
            if m.name in o.values
        )

    def to_csv(self) -> str:
        """Return the long table as CSV."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            writer.writerow({k: cell(v) if isinstance(v, str) else v for k, v in row.items()})
        return text.getvalue()

    def write_csv(self, path: Path | str) -> Path:
        """Write the long table as CSV, and return its path.

        Raises:
            OutputError: the file cannot be written.
        """
        with replacing(path) as part:
            part.write_text(self.to_csv(), encoding="utf-8", newline="\n")
        return Path(path)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values; without an interval its ends are null."""
        return {
            "measures": [asdict(m) for m in self.measures],
            "conditions": [asdict(c) for c in self.conditions],
            "contrasts": [asdict(c) for c in self.contrasts],
            "missing": [asdict(m) for m in self.missing],
            "counts": dict(self.counts),
            "notes": list(self.notes),
            "bootstrap": {"draws": self.draws, "seed": self.seed, "level": 0.95},
        }


def study(
    timelines: Iterable[Timeline],
    design: Design | Path | str,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Study:
    """Compare the conditions of a study.

    Args:
        timelines: of the recordings, in any order.
        design: the design, or its table, see `moodal.evaluation.design.read_design`.
        draws: number of bootstrap samples of the participants; 0: no intervals.
        seed: of the samples.

    Raises:
        DataError: the table is wrong (see `read_design`), names a recording that may be several,
            or none that was given; or the recordings were asked for different emotions or values.
    """
    design = design if isinstance(design, Design) else read_design(design)
    several = list(timelines)
    matched = design.match([timeline.path for timeline in several])
    if not matched:
        raise DataError(
            f"None of the {len({r.recording for r in design.rows})} recordings of {design.source} "
            f"is among the {len(several)} that were given; compare the names."
        )
    used = [several[i] for i in matched.values()]
    _require_same_question(used)
    observations, missing = observe(design, several, matched)
    measures = measures_of(used, observations)
    means = ParticipantMeans.of(design, observations, measures)
    return Study(
        measures=measures,
        observations=observations,
        conditions=tuple(condition_means(means, draws, seed)),
        contrasts=tuple(contrasts_of(means, draws, seed)),
        missing=missing,
        counts=_counts(design, means, observations, missing),
        notes=tuple(_notes(means, used, observations)),
        draws=draws,
        seed=seed,
    )


def _require_same_question(timelines: Sequence[Timeline]) -> None:
    first = timelines[0]
    for other in timelines[1:]:
        if (set(other.emotions), set(other.values)) != (set(first.emotions), set(first.values)):
            raise DataError(
                f"{first.path} and {other.path} were asked for different emotions or values; "
                "predict all recordings of a study with the same ones."
            )
        if other.prior != first.prior or other.artefact.get("digest") != first.artefact.get(
            "digest"
        ):
            raise DataError(
                f"{first.path} and {other.path} were judged by different models or under "
                "different priors; predict all recordings of a study with the same ones."
            )


def _counts(
    design: Design,
    means: ParticipantMeans,
    observations: Sequence[StudyObservation],
    missing: Sequence[MissingRecording],
) -> dict[str, int]:
    present = means.present
    return {
        "rows": len(design.rows),
        "recordings": len({o.row.recording for o in observations}),
        "observations": len(observations),
        "participants": int(present.any(1).sum()),
        "participants_without": int((~present.any(1)).sum()),
        "incomplete": int((present.any(1) & ~present.all(1)).sum()),
        "conditions": len(means.conditions),
        "missing": len(missing),
    }


def _notes(
    means: ParticipantMeans, timelines: Sequence[Timeline], observations: Sequence[StudyObservation]
) -> Iterator[str]:
    present = means.present
    judged = [name for name, own in zip(means.participants, present, strict=True) if own.any()]
    warning = describe(judged, "participant")["warning"]
    if warning:
        yield str(warning)
    if len(means.conditions) > 1:
        yield from _incomplete_notes(means)
    elsewhere = [n for n, own in zip(means.participants, present, strict=True) if not own.any()]
    if elsewhere:
        yield f"Nothing was measured of {_listed(elsewhere)}."
    together = sorted(
        {t.path for t in timelines if t.persons and any(_is_whole(t, o.row) for o in observations)}
    )
    if together:
        yield (
            f"Several persons are taken together in {_listed(together)}, as the design names no "
            "channel there."
        )


def _is_whole(timeline: Timeline, row: DesignRow) -> bool:
    """Return whether a row of the design is all of a timeline."""
    return not row.channel and bool(Design((row,)).match([timeline.path]))


def _incomplete_notes(means: ParticipantMeans) -> Iterator[str]:
    """Say who lacks a condition, and whether contrasts are paired."""
    present = means.present
    if not (present.sum(1) > 1).any():
        yield ("Nobody has two conditions: contrasts are differences of groups, and not paired.")
        return
    lacking = [
        name
        for name, own in zip(means.participants, present, strict=True)
        if own.any() and not own.all()
    ]
    if lacking:
        yield (
            f"{_listed(lacking)} {'has' if len(lacking) == 1 else 'have'} not every condition; "
            "they count in the means, and not in contrasts of a condition that they lack."
        )


def _listed(names: Sequence[str], limit: int = 10) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
