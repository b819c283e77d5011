"""How soon a change in the voice is seen, and how sticky its emotions are.

    python benchmarks/slices.py CREMA_D [--step 0.5] [--count 100]

Recordings are composed of clips of one speaker, cut to their speech: an emotion for one clip, or
for one to four, then another one. On those of the validation speakers of
recipes/artefact/speech.toml, the loss of the true emotion in each slice is printed (both kinds
alike) for probabilities q of a change within a second (`moodal.model.chain.SWITCH`) and seconds of
an independent window (`moodal.modalities.speech.observe.INDEPENDENT`). On those of the test
speakers, it is printed how many slices are right, and how often a change is seen within a second.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import moodal
from moodal.cli.main import user_errors
from moodal.core.records import RATE, Clip, Frames, Sound
from moodal.evaluation.protocols.folds import grouped
from moodal.media.audio import read_audio
from moodal.modalities.modality import Absent
from moodal.modalities.speech.observe import INDEPENDENT, ObservedSpeech
from moodal.modalities.speech.spoken import spoken
from moodal.model.chain import SWITCH, slice_edges, smooth
from moodal.model.evaluate import rows_of
from moodal.model.model import Model

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "artefact" / "speech.toml"
GRID = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SECONDS = (2.0, 4 / 3, 1.0, 2 / 3)
LONG = 4
"""The most clips for which an emotion lasts."""


@dataclass(frozen=True)
class Composed:
    """A composed recording.

    Attributes:
        change, seconds: when the second emotion begins, and the recording ends.
        ratios: [T, K] log r of each slice.
        times: [T] their middles in seconds.
        truth: [T] the column of the true emotion.
        alone: whether each half is judged right when it is heard alone.
    """

    change: float
    seconds: float
    ratios: np.ndarray
    times: np.ndarray
    truth: np.ndarray
    alone: tuple[bool, bool]


class Composer:
    """A composer of recordings of some rows of a corpus, and of their evidence."""

    def __init__(self, model: Model, manifest, rows: np.ndarray, step: float):  # type: ignore[no-untyped-def]
        self.model, self.step, self.asked = model, step, model.ask()
        self.words = self.asked.words
        self.root = Path(manifest.root)
        self.clips: dict[str, dict[str, list[Clip]]] = {}
        for i in rows:
            utterance = manifest.utterances[i]
            emotion = manifest.space.labels[int(manifest.labels[i].argmax())]
            own = self.clips.setdefault(str(utterance.speaker), {})
            own.setdefault(emotion, []).append(utterance.media["speech"])
        sources = model.scorer.sources(self.asked, ["speech"])
        self.sources = sources
        known = [w for w in self.words if sources[w]["speech"] == "learned"]
        self.emotions = [w for w in known if w in manifest.space.labels]
        self.columns = [self.words.index(w) for w in self.emotions]

    def compose(self, count: int, most: int, seed: int) -> Iterator[Composed]:
        """Yield recordings of two emotions, each for 1 to ``most`` clips."""
        rng = np.random.default_rng(seed)
        speakers = sorted(self.clips)
        for number in range(count):
            own = self.clips[speakers[number % len(speakers)]]
            chosen = rng.choice([e for e in self.emotions if e in own], 2, replace=False)
            halves = [self._run(own[e], int(rng.integers(1, most + 1)), rng) for e in chosen]
            columns = [self.emotions.index(e) for e in chosen]
            samples = np.concatenate(halves)
            ratios, times = self._judge(samples)
            change = len(halves[0]) / RATE
            truth = np.where(times < change, *columns)
            answers = [self._ratios([Sound(h, (0.0, len(h) / RATE))])[0].argmax() for h in halves]
            alone = (bool(answers[0] == columns[0]), bool(answers[1] == columns[1]))
            yield Composed(change, len(samples) / RATE, ratios, times, truth, alone)

    def _run(self, clips: list[Clip], count: int, rng: np.random.Generator) -> np.ndarray:
        chosen = rng.choice(len(clips), min(count, len(clips)), replace=False)
        sounds = [read_audio(self.root / clips[i].path, rate=RATE) for i in chosen]
        return np.concatenate([spoken(samples) for samples in sounds])

    def _judge(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Judge the slices as a prediction does: log r [T, K] and times [T]."""
        seconds = len(samples) / RATE
        whole = ObservedSpeech(Sound(samples, (0.0, seconds)), start=0.0, seconds=seconds)
        spans = slice_edges(0.0, seconds, self.step)
        parts = [whole.during(*span) for span in spans]
        items = [p.item for p in parts if not isinstance(p, Absent)]
        kept = np.array([not isinstance(p, Absent) for p in parts])
        times = np.array([(a + b) / 2 for a, b in spans])[kept]
        return self._ratios(items), times

    def _ratios(self, items: list) -> np.ndarray:  # type: ignore[type-arg]
        encoder, scorer = self.model.encoders["speech"], self.model.scorer
        states = [scorer.states("speech", encoder.encode(item)) for item in items]
        means = Frames.from_list([s.mean(0, keepdims=True) for s in states])
        logits = scorer.evidence({"speech": means}, self.asked).logits["speech"]
        ratios = scorer.fusion(self.asked).ratios("speech", logits, self.sources)  # type: ignore[attr-defined]
        return np.asarray(ratios[:, self.columns])


def main() -> None:
    """Print the likelihood of each weight and q, and how soon changes are seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--step", type=float, default=0.5)
    parser.add_argument("--count", type=int, default=100)
    args = parser.parse_args()
    with user_errors("slices.py"):
        manifest = rows_of("crema-d", args.root)
        split = tomllib.loads(RECIPE.read_text(encoding="utf-8"))["split"]
        folds = grouped(manifest, "speaker", split["folds"], split["valid_share"], split["seed"])
        fold = next(iter(folds))
        model = moodal.load(threads=1)
    valid, test = (Composer(model, manifest, rows, args.step) for rows in (fold.valid, fold.test))
    learning = [list(valid.compose(args.count, most, most)) for most in (1, LONG)]
    print("validation speakers: loss of the true emotion, for seconds of an independent window")
    print(f"{'q':>5s}" + "".join(f"{seconds:9.2f}" for seconds in SECONDS))
    for q in GRID:
        losses = [np.mean([_loss(part, q, s) for part in learning]) for s in SECONDS]
        print(f"{q:5.2f}" + "".join(f"{loss:9.3f}" for loss in losses))
    print(f"test speakers: q = {SWITCH:g}, {INDEPENDENT:.2f} s")
    for most in (1, LONG):
        recordings = list(test.compose(args.count, most, 100 + most))
        clips = "one clip" if most == 1 else f"one to {most} clips"
        for name, q in (("windows alone", 0.0), ("chain", SWITCH)):
            print(f"emotions of {clips}, {name}: {_report(recordings, q, args.step)}")


def _smoothed(one: Composed, q: float, seconds: float) -> np.ndarray:
    """Compute log probabilities [T, K] under a level prior; q = 0 for the windows alone."""
    values = one.ratios
    if q:
        counts = np.full(len(values), min(1.0, max(1.0, one.seconds / seconds) / len(values)))
        values = smooth(values, np.arange(values.shape[1]), counts, one.times, q)
    return np.asarray(values - np.log(np.exp(values).sum(1, keepdims=True)))


def _loss(recordings: list[Composed], q: float, seconds: float) -> float:
    """Compute the mean loss of the true emotion over slices and recordings."""
    losses = [
        -_smoothed(one, q, seconds)[np.arange(len(one.times)), one.truth].mean()
        for one in recordings
    ]
    return float(np.mean(losses))


def _report(recordings: list[Composed], q: float, step: float) -> str:
    """Say how many slices are right, and how often the second emotion is seen within a second."""
    right, every, clear = [], [], []
    for one in recordings:
        top = _smoothed(one, q, INDEPENDENT).argmax(1)
        right.append((top == one.truth).mean())
        begun = (one.times + step / 2 > one.change) & (one.times - step / 2 <= one.change + 1)
        every.append(bool((top[begun] == one.truth[-1]).any()))
        if all(one.alone):
            clear.append(every[-1])
    return (
        f"slices right {np.mean(right):.3f}, loss {_loss(recordings, q, INDEPENDENT):.3f}; change "
        f"seen within 1 s {np.mean(every):.3f}, where each half alone is judged right "
        f"{np.mean(clear):.3f} (n = {len(clear)})"
    )


if __name__ == "__main__":
    main()
