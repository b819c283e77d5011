"""How many recordings without detected speech are judged as cries, and how they are answered.

    python benchmarks/cries.py ravdess RAVDESS

Counts the clips of a corpus in which the detector finds no speech, how many of these are judged as
cries (`moodal.modalities.speech.cry`), and how many of the answers are right, by emotion.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import moodal
from moodal.cli.main import user_errors
from moodal.core.records import RATE
from moodal.media.audio import read_audio
from moodal.modalities.speech.segment import speech_spans
from moodal.model.evaluate import rows_of


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus")
    parser.add_argument("root", type=Path)
    args = parser.parse_args()
    with user_errors("cries.py"):
        manifest = rows_of(args.corpus, args.root)
        model = moodal.load(threads=1)
    known = model.scorer.synonyms
    silent: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    right: Counter[str] = Counter()
    clips = 0
    for utterance, row in zip(manifest.utterances, manifest.labels, strict=True):
        clip = utterance.media.get("speech")
        if clip is None or isinstance(clip, str):
            continue
        clips += 1
        samples = read_audio(Path(manifest.root or "") / clip.path, rate=RATE)
        if speech_spans([(0.0, samples)]):
            continue
        emotion = manifest.space.labels[int(row.argmax())]
        silent[emotion] += 1
        timeline = model.predict(samples, rate=RATE, asr=False, streams="speech")
        if len(timeline):
            judged[emotion] += 1
            right[emotion] += timeline[0].top == known.get(emotion, emotion)
    print(f"{clips} clips, {silent.total()} without speech; {judged.total()} judged as cries")
    for emotion, count in silent.items():
        print(f"{emotion}: {count}, judged {judged[emotion]}, right {right[emotion]}")


if __name__ == "__main__":
    main()
