"""How well speakers are told apart, on dialogues composed of the clips of actors.

    python benchmarks/speakers.py CREMA_D RAVDESS [--actors development] [--dialogues 15]

For 2 to 5 speakers, `benchmarks/dialogues.py` composes dialogues of 1 to 2.5 minutes from clips of
actors whom neither the space of speakers (`moodal.train.export.speaker_space`) nor the thresholds
have heard: a third of CREMA-D's, and all of RAVDESS's. Printed are the diarisation error rate (DER,
of pyannote.metrics: collar of 0.25 s on each side, overlaps count), that of one speaker for all
speech, that with the number of speakers given, that of the provisional turns, how often the number
is right and within one, and the seconds of one core that a minute of speech takes.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from dialogues import Actors, Dialogue, Spoken, compose
from pyannote.core import Annotation, Segment
from pyannote.metrics.diarization import DiarizationErrorRate

from moodal.core.records import RATE
from moodal.corpora import crema_d, ravdess
from moodal.modalities.speech.segment import speech_spans
from moodal.modalities.speech.speakers.diarise import Diariser
from moodal.modalities.speech.speakers.turns import Turn
from moodal.train.export.speaker_space import DEVELOPMENT, FIT, shuffled

COLLAR = 0.5
"""Seconds around each change that are not scored, 0.25 on each side."""

SEED = 14


@dataclass
class Figures:
    """The figures of the dialogues of one number of speakers."""

    errors: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    found: list[int] = field(default_factory=list)
    cpu: float = 0.0
    speech: float = 0.0
    sure: list[tuple[float, float]] = field(default_factory=list)
    overlaps: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))

    def add(self, name: str, speech: Sequence[Spoken], turns: Iterable[Turn]) -> None:
        """Add the errors of some turns, in seconds, and what they are out of."""
        metric = DiarizationErrorRate(collar=COLLAR)
        parts = metric(annotation(speech), annotation(_spoken(turns)), detailed=True)
        wrong = parts["missed detection"] + parts["false alarm"] + parts["confusion"]
        self.errors.setdefault(name, []).append((wrong, parts["total"]))

    def rate(self, name: str) -> float:
        """Return the error rate over all dialogues."""
        wrong, total = np.sum(self.errors[name], axis=0)
        return float(wrong / total)


def annotation(speech: Iterable[Spoken]) -> Annotation:
    """Return who speaks when in the form of pyannote."""
    spoken = Annotation()
    for track, (start, end, name) in enumerate(speech):
        spoken[Segment(start, end), track] = name
    return spoken.support()


def _spoken(turns: Iterable[Turn]) -> list[Spoken]:
    return [(turn.start, turn.end, str(turn.speaker)) for turn in turns]


def judge(dialogue: Dialogue, speakers: int, figures: Figures) -> None:
    """Tell the speakers of a dialogue apart, and add the figures."""
    spans = speech_spans([(0.0, dialogue.samples)])
    pieces = [
        (span.start, dialogue.samples[round(span.start * RATE) : round(span.end * RATE)])
        for span in spans
    ]
    begin = time.process_time()
    diariser = Diariser()
    provisional = [turn for start, samples in pieces for turn in diariser.hear(start, samples)]
    turns = diariser.finish()
    figures.cpu += time.process_time() - begin
    figures.speech += sum(len(samples) for _, samples in pieces) / RATE
    given = Diariser(speakers)
    for start, samples in pieces:
        given.hear(start, samples)
    figures.add("found", dialogue.speech, turns)
    figures.add("provisional", dialogue.speech, provisional)
    figures.add("given", dialogue.speech, given.finish())
    figures.add("baseline", dialogue.speech, [Turn(s.start, s.end, 1) for s in spans])
    figures.found.append(len({turn.speaker for turn in turns}))
    _add_marks(dialogue, turns, figures)


def _add_marks(dialogue: Dialogue, turns: Sequence[Turn], figures: Figures) -> None:
    """Add how far the marks of turns hold: overlaps, and the errors of sure turns."""
    for turn in turns:
        speech = [
            (max(start, turn.start), min(end, turn.end), name)
            for start, end, name in dialogue.speech
            if start < turn.end and end > turn.start
        ]
        voices = sum(end - start for start, end, _ in speech)
        both = annotation(speech).get_overlap().duration() >= 0.3
        figures.overlaps[int(turn.overlap), int(both)] += 1
        figures.sure.append((float(turn.sure), voices))


def main() -> None:
    """Print a table for each corpus."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("crema_d", type=Path)
    parser.add_argument("ravdess", type=Path)
    parser.add_argument("--actors", choices=("test", "development"), default="test")
    parser.add_argument("--dialogues", type=int, default=15, help="of each number of speakers")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", module="pyannote")
    corpora = {"crema-d": Actors(crema_d.read(args.crema_d))}
    order = shuffled(list(corpora["crema-d"].clips))
    chosen = {"crema-d": order[FIT + DEVELOPMENT :]}
    if args.actors == "development":
        chosen = {"crema-d": order[FIT : FIT + DEVELOPMENT]}
    else:
        corpora["ravdess"] = Actors(ravdess.read(args.ravdess))
        chosen["ravdess"] = sorted(corpora["ravdess"].clips)
    names = ("found", "given", "provisional", "baseline")
    print(f"{'':22s}" + "".join(f"{name:>12s}" for name in (*names, "exact", "within 1", "s/min")))
    for corpus, actors in corpora.items():
        for speakers in (2, 3, 4, 5):
            figures = Figures()
            for number in range(args.dialogues):
                rng = np.random.default_rng([SEED, speakers, number])
                who = [str(name) for name in rng.choice(chosen[corpus], speakers, replace=False)]
                judge(compose(actors, who, rng.uniform(60, 150), rng), speakers, figures)
            off = np.abs(np.array(figures.found) - speakers)
            row = [*(figures.rate(name) for name in names), np.mean(off == 0), np.mean(off <= 1)]
            row.append(60 * figures.cpu / figures.speech)
            label = f"{corpus}, {speakers} speakers"
            print(f"{label:22s}" + "".join(f"{value:12.3f}" for value in row), flush=True)
            (quiet, missed), (false, right) = figures.overlaps
            sure = np.mean([mark for mark, _ in figures.sure])
            print(
                f"{'':22s}overlap: {right:.0f} of {right + missed:.0f} turns with it are flagged, "
                f"{false:.0f} of {false + quiet:.0f} without; sure: {sure:.0%} of turns"
            )


if __name__ == "__main__":
    main()
