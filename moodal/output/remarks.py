"""What a reader should know beside the figures, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from moodal.core.records import ModalityInfo
from moodal.core.timeline import Timeline
from moodal.output.style import plain, streams_of

_SOURCES = {
    "learned": "learned",
    "adapted": "adapted",
    "guess": "a guess from the word's vector",
    "absent": "cannot tell",
}


def remarks(t: Timeline) -> Iterator[str]:
    """What lacks, what is guessed, flags once each, notes, and what made it."""
    shown = streams_of(t)
    for stream, why in t.absent.items():
        yield f"Without {_named(shown[stream])}: {why}."
    if not len(t):
        yield "There is nothing to tell an emotion from."
    lacking: dict[tuple[str, str], list[int]] = {}
    flags: dict[str, list[int]] = {}
    for i, p in enumerate(t, 1):
        for stream, why in p.absent.items():
            if t.absent.get(stream) != why:
                lacking.setdefault((stream, why), []).append(i)
        for flag in p.flags:
            flags.setdefault(flag, []).append(i)
    for (stream, why), numbers in lacking.items():
        yield f"{_numbers(numbers, len(t))}: without {_named(shown[stream])}, {why}."
    yield from _sources(t)
    for flag, numbers in flags.items():
        yield f"{_numbers(numbers, len(t))}: {flag}"
    yield from t.notes
    if name := t.artefact.get("name"):
        digest = t.artefact.get("digest", "").removeprefix("sha256:")[:12]
        yield f"Made by the artefact {name}{f' ({digest})' if digest else ''}."


def _sources(t: Timeline) -> Iterator[str]:
    """Which emotions each stream learned and which it guesses; a line for streams alike."""
    known: dict[str, dict[str, dict[str, None]]] = {}
    for p in t:
        for emotion, streams in p.sources.items():
            for stream in p.streams:
                if stream in streams:
                    by = known.setdefault(stream, {}).setdefault(streams[stream], {})
                    by[plain(emotion)] = None
    shown, alike = streams_of(t), dict[str, list[str]]()
    for stream, kinds in known.items():
        order = [*(k for k in _SOURCES if k in kinds), *(k for k in kinds if k not in _SOURCES)]
        parts = [f"{_SOURCES.get(k, k)}: {', '.join(kinds[k])}" for k in order]
        line = " learned every emotion asked" if order == ["learned"] else ": " + "; ".join(parts)
        alike.setdefault(line, []).append(_named(shown[stream]))
    for line, names in alike.items():
        yield f"{_capital(_and(names))}{line}."


def _named(stream: ModalityInfo) -> str:
    return stream.label if stream.medium == "text" else f"the {stream.label}"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _numbers(numbers: Sequence[int], of: int) -> str:
    """Utterances 2, 5–7; how many where that would be long."""
    if len(numbers) == of:
        return "All" if of > 1 else "Utterance 1"
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    if len(runs) > 5:
        return f"{len(numbers)} of {of} utterances"
    told = [str(r[0]) if len(r) == 1 else f"{r[0]}–{r[-1]}" for r in runs]
    return f"Utterance{'s' if len(numbers) > 1 else ''} {', '.join(told)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
