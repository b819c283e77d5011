"""Languages: how much a modality's evidence counts in the language that is spoken or written.

A language on which a branch was trained counts as its validation rows say; another one counts
less, as languages that were left out of a training say, and is flagged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from moodal.core.manifest import Manifest
from moodal.core.records import ordered
from moodal.modalities.infos import info_of
from moodal.modalities.text.language import UNKNOWN, UNRECOGNISED, base, language_of, name_of
from moodal.model.info import BranchInfo, LanguageInfo

COLUMN = "language"
"""The column of a corpus that names the language of a row (BCP 47)."""
MEANT = "en"
"""The language of models that do not say on which ones they were trained."""


@dataclass(frozen=True)
class Languages:
    """The languages of a branch.

    Attributes:
        weights: language -> how much its evidence counts, 0 to 1.
        other: how much that of another language counts.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    other: float = 1.0

    @classmethod
    def of(cls, branch: BranchInfo) -> Languages:
        """Return the languages that an artefact states for a branch."""
        weights = {name: one.weight for name, one in branch.languages.items()}
        return cls(weights, branch.other_languages)

    def weight(self, language: str) -> float:
        """Return how much the evidence of a language counts; fully where it is not known."""
        if language == UNKNOWN or not self.weights:
            return 1.0
        own = self._known(language)
        return self.weights[own] if own else self.other

    def knows(self, language: str) -> bool:
        """Return whether the branch was trained on a language; one that is not known counts so."""
        return language == UNKNOWN or not self.weights or bool(self._known(language))

    def _known(self, language: str) -> str:
        """Return the name under which a language was trained: its own, or without its region."""
        if language in self.weights:
            return language
        alike = (name for name in self.weights if base(name) == base(language))
        return next(alike, "")


def of_branches(branches: Mapping[str, BranchInfo]) -> dict[str, Languages]:
    """Return the languages of each branch of a fused artefact.

    A text branch that states none was trained on English.
    """
    stated = {modality: Languages.of(branch) for modality, branch in branches.items()}
    return {
        modality: Languages({MEANT: 1.0})
        if not own.weights and info_of(modality).medium == "text"
        else own
        for modality, own in stated.items()
    }


def untrained(language: str, languages: Mapping[str, Languages]) -> tuple[str, ...]:
    """Return the modalities that were not trained on a language."""
    return tuple(m for m in ordered(languages) if not languages[m].knows(language))


def flags(language: str, languages: Mapping[str, Languages]) -> Iterator[str]:
    """Yield a sentence for each of the modalities that was not trained on a language."""
    for modality in untrained(language, languages):
        if language == UNRECOGNISED:
            yield f"The language was not recognised; the {info_of(modality).label} may not know it."
            continue
        own = languages[modality]
        label, name = info_of(modality).label, name_of(language)
        if len(own.weights) == 1:
            only = name_of(next(iter(own.weights)))
            yield f"The language is {name}; the training of the {label} was in {only} alone."
        else:
            yield f"The language is {name}, which was not in the training of the {label}."


def row_languages(manifest: Manifest, language: str | None = None) -> list[str]:
    """Return the language of each row: the stated one, that of its column, or that of its text."""
    if language:
        return [language] * len(manifest)
    stated = manifest.column(COLUMN)
    return [
        own or (language_of(u.text).language if u.text else UNKNOWN)
        for own, u in zip(stated, manifest.utterances, strict=True)
    ]


def row_weights(
    languages: Mapping[str, Languages], row_languages: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return how much the evidence of each row counts: modality -> [n]."""
    return {
        modality: np.array([own.weight(language) for language in row_languages])
        for modality, own in languages.items()
    }


def language_infos(rows: Sequence[str], weights: Mapping[str, float]) -> dict[str, LanguageInfo]:
    """Return what an artefact states of its languages, from that of each training row."""
    names = dict.fromkeys(name for name in rows if name)
    return {
        name: LanguageInfo(rows=rows.count(name), weight=weights.get(name, 1.0)) for name in names
    }
