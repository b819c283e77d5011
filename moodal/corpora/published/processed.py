"""The EEA authors' ready-made data sets: ``processed_datasets/*.pt``.

Named ``{dataset}_{steps}_{phase}.pt``, or ``..._{phase}_noalign.pt``; pickles of
objects of ``src.dataset.MOSEI``, ``IEMOCAP`` or ``MOSI`` with the attributes text,
audio, vision, labels (torch tensors) and id. Neither torch nor their code is needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from moodal.core.emotions import EmotionSpace, Targets, Values
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.corpora.published import features, iemocap_eea, label_rows, mosei, phase_pickles
from moodal.corpora.unpickle import load

_FILE = re.compile(r"(?P<set>.+)_(?P<phase>train|valid|test)(?P<noalign>_noalign)?\.pt")


class _Kind(NamedTuple):
    corpus: str
    space: Targets
    label: Callable[[Any, str], np.ndarray]


_SENTIMENT = Values(["sentiment"])
_KINDS = {
    "MOSEI": _Kind(
        "mosei",
        EmotionSpace(mosei.EMOTIONS, "multi"),
        lambda values, place: label_rows.intensities(values, place, len(mosei.EMOTIONS)),
    ),
    "IEMOCAP": _Kind(
        "iemocap",
        EmotionSpace(iemocap_eea.EMOTIONS, "single"),
        lambda values, place: label_rows.one_of(values, place, len(iemocap_eea.EMOTIONS)),
    ),
    "MOSI": _Kind("mosi", _SENTIMENT, label_rows.sentiment),
    "MOSEI sentiment": _Kind("mosei-sentiment", _SENTIMENT, label_rows.sentiment),
}


def read(root: Path | str) -> Manifest:
    """Read one of the data sets that the EEA authors made ready.

    Its files ``*.pt`` lie in ``root`` or in ``root``/processed_datasets. The manifest names the
    corpus from which the files were made. If the folder holds several sets, ``root`` must be one of
    the files, whose set is read.

    Raises:
        UnsafeFileError: a pickle would run code; it was not run.
        DataError: no set, several sets, or a damaged or foreign file.
    """
    folder, name, suffix = _choose(Path(root))
    parts, kinds = [], set()
    for phase in features.PHASES:
        path = folder / f"{name}_{phase}{suffix}.pt"
        record = load.load(path)
        if not isinstance(record, load.Record):
            raise DataError(
                f"{path} holds a {type(record).__name__}, not one of the authors' data sets."
            )
        kind = _kind(record, str(path))
        kinds.add(kind)
        parts.append(phase_pickles.part(record.attributes, phase, str(path), _KINDS[kind].label))
    if len(kinds) > 1:
        raise DataError(f"{folder}: the phases of {name} are of {' and '.join(sorted(kinds))}.")
    corpus, space, _ = _KINDS[kinds.pop()]
    return features.join(
        corpus + suffix.replace("_", "-"),
        space,
        parts,
        aligned=not suffix,
        licence="for research",
        notes=[f"Read from the EEA authors' ready-made set {name}{suffix}."],
    )


def _kind(record: load.Record, place: str) -> str:
    """Return the kind of a set; the authors' class MOSEI holds emotions or sentiment."""
    kind = record.kind.rsplit(".", 1)[-1]
    _, labels = features.entry(record.attributes, ("labels",), place)
    if kind == "MOSEI" and np.size(labels) == len(np.atleast_1d(labels)):
        return "MOSEI sentiment"
    return kind


def _choose(root: Path) -> tuple[Path, str, str]:
    """Return the folder, the name of the set, and "_noalign" or ""."""
    if root.is_file():
        match = _FILE.fullmatch(root.name)
        if not match:
            raise DataError(f"{root} is not named like a ready-made set, e.g. iemocap_20_train.pt.")
        return root.parent, match["set"], match["noalign"] or ""
    for folder in (root, root / "processed_datasets"):
        files = [m for p in sorted(folder.glob("*.pt")) if (m := _FILE.fullmatch(p.name))]
        sets = sorted({(m["set"], m["noalign"] or "") for m in files})
        if len(sets) == 1:
            return folder, *sets[0]
        if sets:
            listed = ", ".join(name + suffix for name, suffix in sets)
            raise DataError(
                f"{folder} holds several sets ({listed}); give one file of the set you mean, "
                f"e.g. {folder / files[0].string}."
            )
    raise DataError(
        f"{root} holds no ready-made set, such as iemocap_20_train.pt; give the folder "
        "processed_datasets."
    )
