"""The corpora of a cross-corpus test: their labels under common names, and the rows to test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moodal.core import manifest as manifests
from moodal.core.concatenation import SEPARATOR, require_different
from moodal.core.errors import DataError, SpaceError, UsageError
from moodal.core.files import load_json
from moodal.core.manifest import Manifest
from moodal.core.recipe import Recipe
from moodal.train.experiment.assemble import learned_part


@dataclass(frozen=True)
class Corpus:
    """One of the corpora.

    Attributes:
        folder: that `moodal prepare` wrote.
        manifest: its content.
        maps: its name of a label -> the common one, where they differ.
        listed: the ids of the rows that other trainings are tested on; None: by its split.
    """

    folder: Path
    manifest: Manifest
    maps: Mapping[str, str]
    listed: frozenset[str] | None = None

    @property
    def name(self) -> str:
        """The name of the corpus."""
        return self.manifest.corpus

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels under the common names."""
        return tuple(dict.fromkeys(self.maps.get(x, x) for x in self.manifest.space.labels))


def read_corpora(
    recipe: Recipe,
    folders: Sequence[Path | str],
    maps: Mapping[str, str],
    lists: Path | None = None,
) -> list[Corpus]:
    """Read the corpora, and the maps of each.

    Args:
        recipe: its data.merges are maps, too, and data.targets says what is learned.
        folders: that `moodal prepare` wrote.
        maps: "theirs" or "corpus:theirs" -> the common label.
        lists: a JSON file of the rows to test, {corpus: [utterance ids]}.

    Raises:
        DataError: two have the same name or the same utterances, they differ in their task, or one
            lacks the values that the recipe learns.
        UsageError: a map names a label or a corpus that is not there.
    """
    read = [learned_part(manifests.read(folder), recipe) for folder in folders]
    names = [m.corpus for m in read]
    if twice := [x for i, x in enumerate(names) if x in names[:i]]:
        raise DataError(
            f"Two of the folders hold {twice[0]}; name each corpus once, as rows of one would be "
            "trained and tested on."
        )
    require_different(names)
    first = read[0]
    for other in read[1:]:
        if other.space.task != first.space.task:
            raise DataError(
                f"{first.corpus} is of the task {first.space.task}, {other.corpus} of "
                f"{other.space.task}; only corpora of one task can be crossed."
            )
    own_maps = _maps(recipe.data.merges, maps, read)
    listed = {} if lists is None else _lists(lists, read)
    return [
        Corpus(Path(folder), manifest, own, listed.get(manifest.corpus))
        for folder, manifest, own in zip(folders, read, own_maps, strict=True)
    ]


def _maps(
    merges: Mapping[str, str], declared: Mapping[str, str], corpora: Sequence[Manifest]
) -> list[dict[str, str]]:
    """Return the maps of each corpus: those for all that fit it, and those that name it."""
    maps: list[dict[str, str]] = [{} for _ in corpora]
    names = {manifest.corpus: place for place, manifest in enumerate(corpora)}
    for key, common in {**merges, **declared}.items():
        where = f"--map {key}" if key in declared else f"data.merges, {key}"
        corpus, separator, label = key.partition(SEPARATOR)
        if not separator:
            corpus, label = "", key
        if corpus and corpus not in names:
            raise UsageError(f"{where}: no corpus is called {corpus}; they are {_list(names)}.")
        fits = [i for i, m in enumerate(corpora) if label in m.space.labels]
        if corpus:
            fits = [i for i in fits if i == names[corpus]]
        if not fits:
            known = [x for m in corpora for x in m.space.labels if corpus in ("", m.corpus)]
            which = corpus or "no corpus"
            raise UsageError(
                f"{where}: {which} has {'no' if corpus else 'the'} label {label}; the labels "
                f"are {_list(dict.fromkeys(known))}."
            )
        for place in fits:
            if label != common:
                maps[place][label] = common
    return maps


def _list(names: Any) -> str:
    return ", ".join(map(str, names))


def _lists(path: Path, corpora: Sequence[Manifest]) -> dict[str, frozenset[str]]:
    """Read the rows to test of each corpus that a file lists.

    Raises:
        DataError: it is no such file, or names a corpus or a row that is not there.
    """
    try:
        content = load_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from None
    if not isinstance(content, dict) or not all(isinstance(v, list) for v in content.values()):
        raise DataError(f"{path} must be an object of lists: {{corpus: [utterance ids]}}.")
    ids = {m.corpus: {u.id for u in m.utterances} for m in corpora}
    for name, rows in content.items():
        if name not in ids:
            raise DataError(f"{path} lists rows of {name}; the corpora are {_list(ids)}.")
        unknown = [row for row in rows if not isinstance(row, str) or row not in ids[name]]
        if unknown or not rows:
            which = f"a row {unknown[0]!r}, which is not in it" if unknown else "no row"
            raise DataError(f"{path} lists of {name} {which}.")
    return {name: frozenset(rows) for name, rows in content.items()}


def common_labels(recipe: Recipe, corpora: Sequence[Corpus]) -> list[str]:
    """Return the labels of the matrix: data.labels, or those that all corpora have.

    Raises:
        SpaceError: there are fewer than two emotions, or a corpus lacks one of data.labels.
    """
    for corpus in corpora:
        if missing := [x for x in recipe.data.labels if x not in corpus.labels]:
            raise SpaceError(
                f"{corpus.name} has no {missing[0]}, which data.labels names; it has "
                f"{_list(corpus.labels)}. Map one of them (--map {corpus.name}:THEIRS="
                f"{missing[0]}), or leave {missing[0]} out of data.labels."
            )
    shared = [x for x in corpora[0].labels if all(x in c.labels for c in corpora)]
    labels = list(recipe.data.labels or shared)
    least = 1 if corpora[0].manifest.space.task == "regression" else 2
    if len(labels) < least:
        own = "; ".join(f"{c.name}: {_list(c.labels)}" for c in corpora)
        raise SpaceError(
            f"The corpora have {len(labels)} labels in common and need {least}; declare which "
            f"mean the same with --map [CORPUS:]THEIRS=OURS ({own})."
        )
    return labels
