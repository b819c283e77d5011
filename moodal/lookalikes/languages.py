"""Short texts in three languages whose emotions are in their words: BRIGHTER's look-alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from moodal.core.errors import writing
from moodal.corpora.brighter import EMOTIONS
from moodal.lookalikes.files import generator, staged
from moodal.lookalikes.signal import FAITHFUL, phase_sizes

NONE = "neutral"
"""What a text tells that was given none of the emotions."""

STARTS: Mapping[str, Sequence[str]] = {
    "eng": ("My neighbour called", "The driver answered", "Our teacher wrote", "She came home"),
    "deu": ("Mein Nachbar rief an", "Der Fahrer antwortete", "Sie kam nach Hause", "Er schrieb"),
    "esp": ("Mi vecino llamó", "El conductor respondió", "Ella volvió a casa", "Él escribió"),
}
"""Language, by the name of its file -> beginnings of texts."""

CLAUSES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "eng": {
        "anger": ("I am so angry about it", "how dare they do that"),
        "disgust": ("it smelled rotten", "that is disgusting"),
        "fear": ("I was terrified", "I am afraid of it"),
        "joy": ("I am so happy", "what a wonderful day"),
        "sadness": ("I cried all night", "it makes me so sad"),
        "surprise": ("I did not expect that at all", "what a surprise"),
        NONE: ("it was ten o'clock", "and parked the car"),
    },
    "deu": {
        "anger": ("ich bin so wütend darüber", "was für eine Frechheit"),
        "disgust": ("es stank widerlich", "das ist ekelhaft"),
        "fear": ("ich hatte solche Angst", "ich fürchte mich davor"),
        "joy": ("ich freue mich so", "was für ein schöner Tag"),
        "sadness": ("ich habe die ganze Nacht geweint", "das macht mich traurig"),
        "surprise": ("damit habe ich nie gerechnet", "was für eine Überraschung"),
        NONE: ("es war zehn Uhr", "und parkte das Auto"),
    },
    "esp": {
        "anger": ("estoy furioso por eso", "cómo se atreven"),
        "disgust": ("olía a podrido", "qué asco me da"),
        "fear": ("tenía mucho miedo", "eso me aterra"),
        "joy": ("estoy muy feliz", "qué día tan bonito"),
        "sadness": ("lloré toda la noche", "eso me pone triste"),
        "surprise": ("no me lo esperaba", "qué sorpresa"),
        NONE: ("eran las diez", "y aparcó el coche"),
    },
}
"""Language -> emotion -> clauses that tell it."""

SHARE = 0.2
"""The share of the texts that have an emotion."""

UNASKED = {"eng": "disgust"}
"""Language -> the emotion that its texts were not asked for."""


def text_in(language: str, emotions: Sequence[str], rng: np.random.Generator) -> str:
    """Draw a text in a language with a clause for each of ``emotions``; none tells nothing."""
    clauses = [str(rng.choice(CLAUSES[language][emotion])) for emotion in emotions or (NONE,)]
    return ", ".join([str(rng.choice(STARTS[language])), *clauses]) + "."


def brighter(out: Path, utterances: int, seed: int) -> None:
    """Write BRIGHTER: ``train/LANGUAGE.csv`` and ``dev/LANGUAGE.csv`` of three languages.

    One text in four says something else than its labels, and English was not asked for disgust.
    """
    with staged(out, utterances, seed) as folder:
        sizes = phase_sizes(utterances)
        counts = {"train": sizes["train"] + sizes["valid"], "dev": sizes["test"]}
        for part, count in counts.items():
            (folder / part).mkdir()
            for number, language in enumerate(STARTS):
                rng = generator(seed, "brighter", part, language)
                own = count // len(STARTS) + (number < count % len(STARTS))
                lines = _lines(language, part, own, rng)
                path = folder / part / f"{language}.csv"
                with writing(path):
                    path.write_bytes("".join(lines).encode())


def _lines(language: str, part: str, count: int, rng: np.random.Generator) -> list[str]:
    asked = [emotion for emotion in EMOTIONS if emotion != UNASKED.get(language)]
    labels = rng.random((count, len(asked))) < SHARE
    faithful = rng.random(count) < FAITHFUL["text"]
    source = np.where(faithful, np.arange(count), rng.permutation(count))
    lines = [",".join(["id", "text", *asked]) + "\n"]
    for i in range(count):
        told = [emotion for emotion, has in zip(asked, labels[source[i]], strict=True) if has]
        values = ",".join(str(int(has)) for has in labels[i])
        lines.append(f'{language}_{part}_{i:05d},"{text_in(language, told, rng)}",{values}\n')
    return lines
