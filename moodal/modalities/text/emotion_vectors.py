"""Vectors of emotion words, by which an open-set system represents emotions."""

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
from moodal.modalities.text import e5, glove
from moodal.modalities.text.glove import Glove
from moodal.modalities.text.minilm import MiniLM

FREQUENT = 20_000
"""The number of most frequent words from which a null distribution draws."""

STEM = 3
"""The number of equal first letters by which words count as related, such as "angry", "anger"."""


class WordVectors:
    """A source of word vectors [d] float32.

    Args:
        source: its name, which spaces and artefacts store.
        find: returns the vector of a word, or None.
        words: returns the words for random draws and suggestions.
        width: d, the values per vector.
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
        """Return the vector [d] of exactly this word or phrase, capitalised if asked for.

        A phrase without a vector, such as "very happy" in GloVe, is not replaced by the mean of
        its words unless `space` gets these as synonyms. A source that reads text, "minilm", has
        a vector for every phrase.

        Raises:
            SpaceError: there is no such vector; the message suggests similar words.
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
        """Look up the vectors [C, d] of emotion labels or names of values.

        A label with synonyms gets the mean of the synonyms' vectors, which includes its own word
        only if that is listed.

        Raises:
            SpaceError: some words have no vector, or synonyms are given for an unknown label.
        """
        unknown = [label for label in synonyms if label not in labels]
        if unknown:
            raise SpaceError(
                f"Synonyms are given for {', '.join(unknown)}, which the emotions do not "
                f"include: {', '.join(labels)}."
            )
        vectors, problems = [], []
        for label in labels:
            try:
                words = synonyms.get(label) or [label]
                word_vectors_of_label = [
                    self.vector(word, capitalised=capitalised) for word in words
                ]
                vectors.append(np.mean(word_vectors_of_label, axis=0))
            except SpaceError as error:
                problems.append(str(error).rstrip("."))
        if problems:
            raise SpaceError(f"{'; '.join(problems)}. Give such a label synonyms that have one.")
        return np.stack(vectors)

    def vocabulary(
        self, n: int, seed: int, exclude: Iterable[str] = (), *, capitalised: bool = False
    ) -> tuple[tuple[str, ...], np.ndarray]:
        """Draw at most ``n`` random words and their vectors [up to n, d], for a null distribution.

        Words are drawn from the `FREQUENT` most frequent alphabetic words of a GloVe table (for
        "minilm", of "glove-50"), or from all words of an emotion-vector pickle. Of words that
        differ only in capitals, one is drawn, preferably the lower-case one. A source with fewer
        words gives all of them, possibly none.

        Args:
            n: the largest number of words.
            seed: seed of the draw.
            exclude: words or phrases that are not drawn, nor any word that begins with the
                same `STEM` letters as one of their words.
            capitalised: use the vectors of the capitalised words; words without one are not
                drawn.
        """
        excluded_stems = {word[:STEM] for phrase in exclude for word in phrase.lower().split()}
        spellings = {word.lower(): word for word in self._words()}
        spellings |= {word: word for word in self._words() if word.islower()}
        pool = [word for lower, word in spellings.items() if lower[:STEM] not in excluded_stems]
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
        similar = difflib.get_close_matches(word, known, 3, 0.7)
        lower = word.lower()
        if lower != word and self._find(lower) is not None:
            similar = [lower, *(x for x in similar if x != lower)][:3]
        return f"; near it is {', '.join(similar)}" if similar else ""


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def word_vectors(source: str) -> WordVectors:
    """Open the word vectors of ``source``.

    Args:
        source: "glove-50" (50 wide), "e5" (384, of a word of any language, see
            `moodal.modalities.text.e5.word_vector`), "minilm" (384, the embedding of the word as a
            text), or a path: the authors' emotion vectors (a pickle of {word: numbers}, such as
            ``glove.emotions.840B.300d.pt``), or a GloVe text file (``.txt``).

    Raises:
        UsageError: there is no such source.
        DataError: the file is not of the kind that its name says.
        UnsafeFileError: the file is a pickle that would run code.
    """
    if source == "glove-50":
        return WordVectors(source, _glove_vector, _frequent_words, Glove.width)
    if source == "e5":
        return WordVectors(source, e5.word_vector, _frequent_words, e5.WIDTH)
    if source == "minilm":
        return WordVectors(source, _minilm_vector, _frequent_words, MiniLM.width)
    path = Path(source)
    if not path.is_file():
        raise UsageError(
            f"No word vectors are called {source!r}, and there is no such file; use glove-50, "
            "e5, minilm, or the path of an emotion-vector pickle or a GloVe .txt file."
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
    """Read the authors' emotion vectors: word -> [d]."""
    from moodal.corpora.unpickle import load

    raw = load.load(path)
    try:
        vectors = {str(w): np.asarray(v, np.float32).reshape(-1) for w, v in raw.items()}
    except (AttributeError, TypeError, ValueError):
        raise DataError(
            f"{path} is no emotion-vector pickle, which must hold {{word: numbers}}."
        ) from None
    widths = {len(v) for v in vectors.values()}
    if len(widths) != 1 or not all(np.isfinite(v).all() for v in vectors.values()):
        raise DataError(f"{path}: vectors must be finite and of one width; widths are {widths}.")
    return vectors


def _text_index(path: Path) -> tuple[dict[str, int], int]:
    """Return the byte offset of each word's line, in the file's order, and the width d.

    Lines are parsed only when needed, since these files have gigabytes.
    """
    with open(path, "rb") as file:
        first = file.readline()
        # word2vec's variant starts with the table's two sizes
        start = len(first) if len(first.split()) == 2 else 0
        file.seek(start)
        width = len(file.readline().split()) - 1
        if width < 2:
            raise DataError(f"{path} is no GloVe text file, with a word and its numbers per line.")
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
