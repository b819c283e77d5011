"""The footnotes of a timeline: what a reader should know besides its figures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from moodal.core.guard import plain
from moodal.core.records import ModalityInfo
from moodal.core.timeline import Timeline
from moodal.output.style import streams_of

_SOURCES = {
    "learned": "learned",
    "adapted": "adapted",
    "guess": "a guess from the word's vector",
    "absent": "cannot tell",
}


FEW = 3
"""The most remarks of one kind that are listed one by one."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?")

MAPPED = "mapped from probabilities"
"""How dimensions without ratings are known."""


def footnotes(t: Timeline) -> Iterator[str]:
    """Yield what is absent or guessed, each flag once, the notes, and the artefact's name."""
    shown = streams_of(t)
    for stream, why in t.absent.items():
        yield f"Without {_named(shown[stream])}: {why}."
    if not len(t):
        what = "predict a value" if t.values else "recognise an emotion"
        yield f"There is nothing to {what} from."
    missing: dict[tuple[str, str], list[int]] = {}
    flags: dict[str, list[int]] = {}
    for i, p in enumerate(t, 1):
        for stream, why in p.absent.items():
            if t.absent.get(stream) != why:
                missing.setdefault((stream, why), []).append(i)
        for flag in p.flags:
            flags.setdefault(flag, []).append(i)
    for (stream, why), numbers in missing.items():
        yield f"{_numbers(numbers, len(t))}: without {_named(shown[stream])}, {why}."
    yield from _sources(t)
    yield from _dimensions(t)
    for alike in _by_kind(flags):
        numbers = sorted({n for flag in alike for n in flags[flag]})
        first, *others = alike
        if len(alike) <= FEW:
            yield from (f"{_numbers(flags[flag], len(t))}: {flag}" for flag in alike)
        else:
            yield f"{_numbers(numbers, len(t))}: {first.rstrip('.')}, and {len(others)} alike."
    for alike in _by_kind(t.notes):
        first, *others = alike
        yield from alike if len(alike) <= FEW else (f"{first} {len(others)} notes are alike.",)
    if name := t.artefact.get("name"):
        digest = t.artefact.get("digest", "").removeprefix("sha256:")[:12]
        yield f"Made by the artefact {name}{f' ({digest})' if digest else ''}."


def _by_kind(remarks: Iterable[str]) -> list[list[str]]:
    """Group remarks that differ in their numbers only, or in what two modalities answer."""
    kinds: dict[str, list[str]] = {}
    for remark in remarks:
        kind = remark.partition(":")[0] if " of modalities: " in remark else remark
        kinds.setdefault(_NUMBER.sub("#", kind), []).append(remark)
    return list(kinds.values())


def _sources(t: Timeline) -> Iterator[str]:
    """Yield which emotions each stream learned and which it guesses, equal streams together."""
    emotions_by_source: dict[str, dict[str, dict[str, None]]] = {}
    for p in t:
        for emotion, streams in p.sources.items():
            for stream in p.streams:
                if stream in streams:
                    emotions = emotions_by_source.setdefault(stream, {}).setdefault(
                        streams[stream], {}
                    )
                    emotions[plain(emotion)] = None
    shown, streams_by_line = streams_of(t), dict[str, list[str]]()
    for stream, kinds in emotions_by_source.items():
        order = [*(k for k in _SOURCES if k in kinds), *(k for k in kinds if k not in _SOURCES)]
        parts = [f"{', '.join(kinds[k])} ({_SOURCES.get(k, k)})" for k in order]
        line = "all of these emotions (learned)" if order == ["learned"] else "; ".join(parts)
        streams_by_line.setdefault(line, []).append(_named(shown[stream]))
    for line, names in streams_by_line.items():
        yield f"{_capital(_and(names))}: {line}."


def _dimensions(t: Timeline) -> Iterator[str]:
    """Yield how the headline's dimensions are known, and of which streams the intensity is."""
    shown, numbers = streams_of(t), dict[str, list[int]]()
    for i, p in enumerate(t, 1):
        if row := p.dimensions.get(p.headline):
            stream = shown.get(p.headline)
            place = f"those of {_named(stream)}" if stream else "those of the fused answer"
            ratings = f"ratings, from {_named(stream)}" if stream else "ratings"
            how = f"learned from {ratings}" if row.known == "learned" else f"{MAPPED}, {place}"
            numbers.setdefault(how, []).append(i)
    name = "valence, arousal and dominance (V, A, D; −1 to 1)"
    for how, own in numbers.items():
        whole = len(own) == len(t)
        yield f"{_capital(name)}: {how}." if whole else f"{_numbers(own, len(t))}: {name}: {how}."
    if streams := list(dict.fromkeys(s for p in t for s in p.intensity)):
        yield f"Intensity (I; 0 to 1): of {_and([_named(shown[s]) for s in streams])}."


def _named(stream: ModalityInfo) -> str:
    return stream.label if stream.medium == "text" else f"the {stream.label}"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _numbers(numbers: Sequence[int], total: int) -> str:
    """Name utterances as "Utterances 2, 5–7", or give their number if that would be long."""
    if len(numbers) == total:
        return "All" if total > 1 else "Utterance 1"
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    if len(runs) > 5:
        return f"{len(numbers)} of {total} utterances"
    ranges = [str(r[0]) if len(r) == 1 else f"{r[0]}–{r[-1]}" for r in runs]
    return f"Utterance{'s' if len(numbers) > 1 else ''} {', '.join(ranges)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
