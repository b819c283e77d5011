"""Look-alikes of IEMOCAP's release and of MMER's csv with its folders."""

from __future__ import annotations

import csv
import io
import zlib
from pathlib import Path

import numpy as np

from moodal.core.errors import writing
from moodal.corpora.iemocap.mmer_csv import EMOTIONS
from moodal.corpora.iemocap.names import CODES, SESSIONS
from moodal.lookalikes.dialogues import PRIOR, WORDS, DialogueTurn, dialogues
from moodal.lookalikes.files import generator, staged
from moodal.lookalikes.speech import FAITHFUL, speech, spelt
from moodal.lookalikes.text import DID, WHO
from moodal.lookalikes.voice import RATE, Speaker, speaker, write_wav
from moodal.lookalikes.words import appraisals

WIDTH = 768
"""Values per token of the arrays, as RoBERTa-base has."""

_NAMES = {
    "angry": "Anger",
    "happy": "Happiness",
    "excited": "Excited",
    "sad": "Sadness",
    "neutral": "Neutral state",
    "frustrated": "Frustration",
    "fear": "Fear",
    "surprised": "Surprise",
    "disgust": "Disgust",
    "other": "Other",
}
"""Emotion -> what an annotator's line calls it."""


_FILLERS = ("Well", "You know", "Look", "Really", "See")


def release(out: Path, utterances: int, seed: int) -> None:
    """Write IEMOCAP's release: ``Session1/dialog/EmoEvaluation/*.txt``, transcripts and sentences.

    Five sessions, ten speakers, half of the turns scripted; 11 labels with "xxx". One turn in
    twelve carries a remark such as [LAUGHTER], and each session has a turn without a label.
    """
    rng = generator(seed, "iemocap-release")
    lines = dialogues(utterances, seed, "iemocap-release", PRIOR)
    with staged(out, utterances, seed) as folder:
        cast = _cast(rng)
        sheets: dict[str, list[str]] = {}
        scripts: dict[str, list[str]] = {}
        clock: dict[str, float] = {}
        for line in lines:
            sound = speech(line.text, _heard(line.shown, rng), cast[line.speaker], rng)
            session = folder / f"Session{line.name[4]}"
            write_wav(session / "sentences" / "wav" / line.dialogue / f"{line.name}.wav", sound)
            start = clock.get(line.dialogue, 6.0) + float(rng.uniform(0.1, 1.5))
            clock[line.dialogue] = end = start + len(sound) / RATE
            sheet = sheets.setdefault(line.dialogue, [_HEAD])
            sheet += _evaluation(line, start, end, rng)
            text = line.text
            if rng.random() < 1 / 12:
                text = f"[{rng.choice(['LAUGHTER', 'BREATHING', 'GARBAGE'])}] {text}"
            transcript = scripts.setdefault(line.dialogue, [])
            transcript.append(f"{line.name} [{start:08.4f}-{end:08.4f}]: {text}")
        for dialogue, transcript in scripts.items():
            if dialogue.endswith("impro01"):
                transcript.append(f"{dialogue}_FXX0 [000.5000-001.0000]: Mm-hmm.")
            place = folder / f"Session{dialogue[4]}" / "dialog"
            _write(place / "transcriptions" / f"{dialogue}.txt", transcript)
            _write(place / "EmoEvaluation" / f"{dialogue}.txt", sheets[dialogue])


_HEAD = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n"


def _cast(rng: np.random.Generator) -> dict[str, Speaker]:
    return {f"{s}{x}": speaker(rng, female=x == "F") for s in SESSIONS for x in "FM"}


def _heard(shown: str, rng: np.random.Generator) -> str:
    """Draw the emotion of the voice: the one shown, or sometimes another."""
    return shown if rng.random() < FAITHFUL else str(rng.choice(list(WORDS)))


def _evaluation(
    line: DialogueTurn, start: float, end: float, rng: np.random.Generator
) -> list[str]:
    """Write a label line, words of three evaluators and the speaker, and two sets of ratings."""
    code = next(code for code, word in CODES.items() if word == line.emotion)
    pleasant, arousal, control, _ = appraisals(line.shown)
    centre = np.array([3 + 1.6 * pleasant, 3 + 1.6 * arousal, 3 + 1.3 * control])
    rated = np.clip(np.round(centre + rng.normal(0, 0.5, (2, 3))), 1, 5)
    mean = ", ".join(f"{x:.4f}" for x in rated.mean(0))
    if line.emotion == "undecided":
        words = [_NAMES[str(x)] for x in rng.choice(list(WORDS), 4, replace=False)]
    else:
        odd = _NAMES[str(rng.choice(list(WORDS)))]
        name = _NAMES[line.emotion]
        words = [name, name, odd if rng.random() < 0.5 else name, name]
    voice = line.speaker[-1]
    return [
        f"[{start:.4f} - {end:.4f}]\t{line.name}\t{code}\t[{mean}]",
        *(
            f"C-{who}:\t{x};\t()"
            for who, x in zip(("E2", "E3", "E4", f"{voice}1"), words, strict=True)
        ),
        *(
            f"A-E{3 + i}:\tval {v:.0f}; act {a:.0f}; dom  {d:.0f};\t()"
            for i, (v, a, d) in enumerate(rated)
        ),
        "",
    ]


def mmer(out: Path, utterances: int, seed: int) -> None:
    """Write MMER's ``iemocap.csv``, ``audio``, ``roberta`` and their ``_augmented`` folders.

    Five emotions; token arrays [1, L, 768] in which every word has a direction of its own, plus
    what surrounds it; re-synthesised speech by another voice, none, one or two per utterance.
    """
    rng = generator(seed, "mmer")
    prior = {emotion: PRIOR[emotion] for emotion in EMOTIONS}
    lines = dialogues(utterances, seed, "mmer", prior)
    rows = []
    with staged(out, utterances, seed) as folder:
        cast = _cast(rng)
        voices = {f"p{225 + i}": speaker(rng, female=bool(i % 2)) for i in range(6)}
        for i, line in enumerate(lines):
            heard = _heard(line.shown, rng)
            sound = speech(line.text, heard, cast[line.speaker], rng)
            write_wav(folder / "audio" / f"{line.name}.wav", sound)
            for voice in rng.permutation(list(voices))[: (1, 1, 2, 0)[i % 4]]:
                again = speech(line.text, heard, voices[voice], rng, intensity=0.8)
                write_wav(folder / "audio_augmented" / f"{voice}_{line.name}.wav", again)
            other = paraphrase(line.text, rng)
            _tokens(folder / "roberta" / f"{line.name}.npy", line.text, rng)
            _tokens(folder / "roberta_augmented" / f"{line.name}.npy", other, rng)
            code = next(code for code, word in CODES.items() if word == line.emotion)
            rows.append([str(i), line.name, line.text, code, f"{spelt(line.text)} .", other])
        header = ["", "FileName", "Sentences", "Label", "text", "AugmentedText"]
        table = io.StringIO()
        csv.writer(table, lineterminator="\r\n").writerows([header, *rows])
        with writing(folder / "iemocap.csv"):
            (folder / "iemocap.csv").write_bytes(table.getvalue().encode())


def paraphrase(text: str, rng: np.random.Generator) -> str:
    """Imitate back-translation: reorder the clauses, or replace the beginning."""
    start, comma, clause = text.rstrip(".!?").partition(", ")
    if comma and rng.random() < 0.5:
        return f"{clause[0].upper()}{clause[1:]}, {start[0].lower()}{start[1:]}."
    other = f"{rng.choice(WHO)} {rng.choice(DID)}" if comma else str(rng.choice(_FILLERS))
    rest = clause if comma else start
    return f"{other}, {rest if rest.startswith('I ') else rest[0].lower() + rest[1:]}."


def _tokens(path: Path, text: str, rng: np.random.Generator) -> None:
    """Write an array [1, L, 768] float32: <s>, the words, </s>.

    Each is near its own vector and its neighbours'.
    """
    words = ["<s>", *spelt(text).lower().split(), "</s>"]
    own = np.stack(
        [
            np.random.default_rng([WIDTH, zlib.crc32(word.encode())]).standard_normal(WIDTH)
            for word in words
        ]
    )
    context = 0.5 * own.mean(0)
    values = 0.2 * (own + context + 0.3 * rng.standard_normal(own.shape))
    content = io.BytesIO()
    np.save(content, values[None].astype(np.float32))
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.getvalue())


def _write(path: Path, lines: list[str]) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())
