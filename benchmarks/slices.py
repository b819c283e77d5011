"""How soon a change in the voice is seen, and how sticky its emotions are.

    python benchmarks/slices.py CREMA_D [--step 0.5] [--sequences 120] [--pairs 240]

Recordings are composed of clips of one speaker, cut to their speech: an emotion for one to four
clips, then another one. On those of the validation speakers of recipes/artefact/speech.toml, the
likelihood of the true emotion in each slice is printed for probabilities q of a change within a
second (`moodal.model.chain.SWITCH`). On pairs of clips of the test speakers, it is told how often a
change is seen within a second: among all pairs, and among those whose two clips are judged right
when they are heard alone.
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
from moodal.modalities.speech.observe import ObservedSpeech
from moodal.modalities.speech.spoken import spoken
from moodal.model.chain import SWITCH, slice_edges, smooth
from moodal.model.evaluate import rows_of
from moodal.model.model import Model

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "artefact" / "speech.toml"
GRID = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
PER_SECOND = 1.0


@dataclass(frozen=True)
class Composed:
    """A composed recording.

    Attributes:
        emotions: the two emotions.
        change: the second at which the second one begins.
        ratios: [T, K] log r of each slice.
        counts, times: [T], see `moodal.model.chain.smooth`.
        alone: whether each half is judged right when it is heard alone.
    """

    emotions: tuple[str, str]
    change: float
    ratios: np.ndarray
    counts: np.ndarray
    times: np.ndarray
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
            first, second = rng.choice([e for e in self.emotions if e in own], 2, replace=False)
            halves = [self._run(own[e], int(rng.integers(1, most + 1)), rng) for e in (first, second)]
            samples = np.concatenate(halves)
            ratios, counts, times = self._judge(samples)
            alone = tuple(
                self.emotions[int(self._ratios([Sound(h, (0.0, len(h) / RATE))])[0].argmax())] == e
                for h, e in zip(halves, (first, second), strict=True)
            )
            change = len(halves[0]) / RATE
            yield Composed((first, second), change, ratios, counts, times, alone)  # type: ignore[arg-type]

    def _run(self, clips: list[Clip], count: int, rng: np.random.Generator) -> np.ndarray:
        chosen = rng.choice(len(clips), min(count, len(clips)), replace=False)
        sounds = [read_audio(self.root / clips[i].path, rate=RATE) for i in chosen]
        return np.concatenate([spoken(samples) for samples in sounds])

    def _judge(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Judge the slices as a prediction does: log r, counts and times."""
        seconds = len(samples) / RATE
        whole = ObservedSpeech(Sound(samples, (0.0, seconds)), start=0.0, seconds=seconds)
        spans = slice_edges(0.0, seconds, self.step)
        parts = [whole.during(*span) for span in spans]
        items = [p.item for p in parts if not isinstance(p, Absent)]
        kept = np.array([not isinstance(p, Absent) for p in parts])
        times = np.array([(a + b) / 2 for a, b in spans])[kept]
        assert whole.windows is not None
        return self._ratios(items), np.full(len(times), whole.windows / len(times)), times

    def _ratios(self, items: list) -> np.ndarray:  # type: ignore[type-arg]
        encoder, scorer = self.model.encoders["speech"], self.model.scorer
        states = [scorer.states("speech", encoder.encode(item)) for item in items]
        means = Frames.from_list([s.mean(0, keepdims=True) for s in states])
        logits = scorer.evidence({"speech": means}, self.asked).logits["speech"]
        ratios = scorer.fusion(self.asked).ratios("speech", logits, self.sources)  # type: ignore[attr-defined]
        return np.asarray(ratios[:, self.columns])


def main() -> None:
    """Print the likelihood for each q, and how soon changes are seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--step", type=float, default=0.5)
    parser.add_argument("--sequences", type=int, default=120)
    parser.add_argument("--pairs", type=int, default=240)
    args = parser.parse_args()
    with user_errors("slices.py"):
        manifest = rows_of("crema-d", args.root)
        split = tomllib.loads(RECIPE.read_text(encoding="utf-8"))["split"]
        fold = next(
            iter(grouped(manifest, "speaker", split["folds"], split["valid_share"], split["seed"]))
        )
        model = moodal.load(threads=1)
        valid = Composer(model, manifest, fold.valid, args.step)
        learning = list(valid.compose(args.sequences, 4, 0))
        test = Composer(model, manifest, fold.test, args.step)
        pairs = list(test.compose(args.pairs, 1, 1))
        lasting = list(test.compose(args.sequences, 4, 2))
    import pickle; pickle.dump((learning, pairs, lasting, valid.emotions), open("/tmp/hts/slices.pkl", "wb"))


if __name__ == "__main__":
    main()
