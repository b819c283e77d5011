"""Vectors of emotion words: what an open-set system knows an emotion by."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from moodal.core.emotions import EmotionSpace, WordTask
from moodal.core.errors import DataError, MissingDependencyError, SpaceError, UsageError
from moodal.modalities.encoder import file_hash
from moodal.modalities.text import glove
from moodal.modalities.text.glove import Glove
from moodal.modalities.text.minilm import MiniLM

FREQUENT = 20_000
"""How many of the most frequent words a null distribution draws from."""

STEM = 3
"""Words that begin with the same so many letters count as kin, as "angry" and "anger" do."""


class WordVectors:
    """Word -> vector [d] float32, from one source.

    Args:
        source: its name, as it goes into spaces and artefacts.
        find: the vector of a word, or None.
        words: the words to draw from at random, and to suggest from.
        width: d.
    """

    def __init__(
        self,
        source: str,
        find: Callable[[str], np.ndarray | None],
        words: Callable[[], Collection[str]],
        width: int,
    ):
        self.source = source
        self.width = width
        self._find = find
        self._words = words

    def vector(self, word: str, *, capitalised: bool = False) -> np.ndarray:
        """The vector [d] of exactly this word or phrase; with a capital if ``capitalised``.

        Nothing is made up: a phrase that has no vector of its own, "very happy" in GloVe,
        is not the mean of its words unless `space` is told so by synonyms. A source that
        reads text, "minilm", has a vector for every phrase.

        Raises:
            SpaceError: there is none; says what is near.
        """
        if capitalised:
            word = _capital(word)
        vector = self._find(word)
        if vector is None:
            raise SpaceError(f"{self.source} has no vector for {word!r}{self._hint(word)}.")
        return np.asarray(vector, np.float32)

    def space(
        self,
        labels: Sequence[str],
        task: WordTask = "multi",
        *,
        synonyms: Mapping[str, Sequence[str]] = {},
        capitalised: bool = False,
    ) -> EmotionSpace:
        """Return the emotions ``labels`` with their vectors, see `vectors`."""
        vectors = self.vectors(labels, synonyms=synonyms, capitalised=capitalised)
        return EmotionSpace(labels, task, vectors, self.source)

    def vectors(
        self,
        labels: Sequence[str],
        *,
        synonyms: Mapping[str, Sequence[str]] = {},
        capitalised: bool = False,
    ) -> np.ndarray:
        """Look up the vectors [C, d] of the words that emotions or values are called by.

        A label with synonyms has the mean of their vectors, its own word among them only
        if it is listed; the others have their own.

        Raises:
            SpaceError: words without a vector, all of them named; synonyms of no label.
        """
        strangers = [label for label in synonyms if label not in labels]
        if strangers:
            raise SpaceError(
                f"Synonyms are given for {', '.join(strangers)}, which the emotions do not "
                f"include: {', '.join(labels)}."
            )
        vectors, problems = [], []
        for label in labels:
            try:
                words = synonyms.get(label) or [label]
                found = [self.vector(word, capitalised=capitalised) for word in words]
                vectors.append(np.mean(found, axis=0))
            except SpaceError as error:
                problems.append(str(error).rstrip("."))
        if problems:
            raise SpaceError(f"{'; '.join(problems)}. Give such a label synonyms that have one.")
        return np.stack(vectors)

    def vocabulary(
        self, n: int, seed: int, exclude: Iterable[str] = (), *, capitalised: bool = False
    ) -> tuple[tuple[str, ...], np.ndarray]:
        """At most ``n`` random words and their vectors [up to n, d], for a null distribution.

        Drawn from the `FREQUENT` most frequent alphabetic words of a GloVe table, for
        "minilm" from those of "glove-50", and from all words of an emotion-vector pickle.
        Of words that differ in capitals alone, one is drawn, the lower-case one if it is
        there. A source with fewer words gives all of them; there may be none.

        Args:
            exclude: words or phrases that are not drawn, nor any word that begins with the
                same `STEM` letters as a word of theirs.
            capitalised: the vectors are those of the capitalised words; words that have none
                are not drawn.
        """
        away = {word[:STEM] for phrase in exclude for word in phrase.lower().split()}
        twins = {word.lower(): word for word in self._words()}
        twins |= {word: word for word in self._words() if word.islower()}
        pool = [word for lower, word in twins.items() if lower[:STEM] not in away]
        drawn: dict[str, np.ndarray] = {}
        for row in np.random.default_rng(seed).permutation(len(pool)):
            if len(drawn) == n:
                break
            word = _capital(pool[row]) if capitalised else pool[row]
            vector = self._find(word)
            if vector is not None:
                drawn[word] = np.asarray(vector, np.float32)
        return tuple(drawn), np.array(list(drawn.values()), np.float32).reshape(-1, self.width)

    def _hint(self, word: str) -> str:
        try:
            known = self._words()
        except MissingDependencyError:
            return ""
        near = difflib.get_close_matches(word, known, 3, 0.7)
        lower = word.lower()
        if lower != word and self._find(lower) is not None:
            near = [lower, *(x for x in near if x != lower)][:3]
        return f"; near it is {', '.join(near)}" if near else ""


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def word_vectors(source: str) -> WordVectors:
    """The word vectors of ``source``.

    Args:
        source: "glove-50" (50 wide), "minilm" (384, the embedding of the word as a text), or
            a path: the authors' emotion vectors (a pickle of {word: numbers}, such as
            ``glove.emotions.840B.300d.pt``), or a GloVe text file (``.txt``).

    Raises:
        UsageError: no such source.
        DataError: the file is not what its name says.
        UnsafeFileError: the pickle would run code.
    """
    if source == "glove-50":
        return WordVectors(source, _glove_vector, _frequent_words, Glove.width)
    if source == "minilm":
        return WordVectors(source, _minilm_vector, _frequent_words, MiniLM.width)
    path = Path(source)
    if not path.is_file():
        raise UsageError(
            f"No word vectors are called {source!r}, and no such file is there; use glove-50, "
            "minilm, or the path of an emotion-vector pickle or a GloVe .txt file."
        )
    name = f"{path.name} ({file_hash(path)[:12]})"
    if path.suffix == ".txt":
        lines, width = _text_index(path)
        frequent = list(islice(filter(str.isalpha, lines), FREQUENT))
        find = partial(_text_vector, path, lines, width)
        return WordVectors(name, find, lambda: frequent, width)
    vectors = _pickled(path)
    width = len(next(iter(vectors.values())))
    return WordVectors(name, vectors.get, vectors.keys, width)


def _glove_vector(word: str) -> np.ndarray | None:
    index, vectors = glove.table()
    row = index.get(word)
    return None if row is None else np.array(vectors[row])


def _frequent_words() -> list[str]:
    return list(islice(filter(str.isalpha, glove.table()[0]), FREQUENT))


def _minilm_vector(word: str) -> np.ndarray | None:
    embedding = MiniLM(pool=True).encode(word)
    return embedding[0] if len(embedding) else None


def _pickled(path: Path) -> dict[str, np.ndarray]:
    """The authors' emotion vectors: word -> [d]."""
    from moodal.corpora.unpickle import load

    raw = load.load(path)
    try:
        vectors = {str(w): np.asarray(v, np.float32).reshape(-1) for w, v in raw.items()}
    except (AttributeError, TypeError, ValueError):
        raise DataError(
            f"{path} is no emotion-vector pickle: {{word: numbers}} expected."
        ) from None
    widths = {len(v) for v in vectors.values()}
    if len(widths) != 1 or not all(np.isfinite(v).all() for v in vectors.values()):
        raise DataError(f"{path}: vectors must be finite and of one width; widths are {widths}.")
    return vectors


def _text_index(path: Path) -> tuple[dict[str, int], int]:
    """Where each word's line starts, in the file's order, and the width d.

    Lines are parsed only when asked for: these files have gigabytes.
    """
    with open(path, "rb") as file:
        first = file.readline()
        # word2vec's variant starts with the table's two sizes
        start = len(first) if len(first.split()) == 2 else 0
        file.seek(start)
        width = len(file.readline().split()) - 1
        if width < 2:
            raise DataError(f"{path} is no GloVe text file: a word and its numbers a line.")
        file.seek(start)
        lines: dict[str, int] = {}
        for line in file:
            lines.setdefault(line[: line.find(b" ")].decode(errors="replace"), start)
            start += len(line)
    return lines, width


def _text_vector(path: Path, lines: Mapping[str, int], width: int, word: str) -> np.ndarray | None:
    if word not in lines:
        return None
    with open(path, "rb") as file:
        file.seek(lines[word])
        _, *numbers = file.readline().split(b" ")
    try:
        vector = np.array([float(x) for x in numbers], np.float32)
    except ValueError:
        vector = np.empty(0, np.float32)
    if vector.shape != (width,) or not np.isfinite(vector).all():
        raise DataError(f"{path}: the line of {word!r} does not hold {width} finite numbers.")
    return vector
