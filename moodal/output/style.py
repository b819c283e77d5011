"""The appearance of emotions, streams and times in the terminal, in plots and in files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from moodal.core.dimensions import DIMENSIONS
from moodal.core.emotions import Value
from moodal.core.records import BUILT_IN, ModalityInfo, ordered
from moodal.core.timeline import Prediction, Timeline

GREY = "#8C8C8C"

HATCHES = {"o": "", "s": "////", "^": "...."}
"""Mark of a stream -> the hatch of its bars; streams with other marks have crosses."""

# Okabe and Ito's colours, which colour-blind readers can tell apart.
_COLOURS = {
    "anger": "#D55E00",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "happiness": "#E69F00",
    "neutral": "#999999",
    "sadness": "#0072B2",
    "surprise": "#56B4E9",
}
_LETTERS = {"surprise": "U", "happiness": "H", "sadness": "S"}
# for further emotion words: Tol's muted scheme
_MORE = ("#882255", "#44AA99", "#332288", "#AA4499", "#999933", "#CC6677", "#117733", "#661100")


def colours(emotions: Sequence[str]) -> dict[str, str]:
    """Assign each emotion a colour "#RRGGBB"; the basic emotions always have the same one.

    >>> colours(["anger", "bored"])
    {'anger': '#D55E00', 'bored': '#882255'}
    """
    others = [e for e in emotions if e not in _COLOURS]
    more = {e: _MORE[i % len(_MORE)] for i, e in enumerate(others)}
    return {e: _COLOURS.get(e) or more[e] for e in emotions}


def letters(emotions: Sequence[str]) -> dict[str, str]:
    """Assign each emotion a distinct letter; the basic emotions always have the same one.

    >>> letters(["anger", "surprise", "sadness", "amused"])
    {'anger': 'A', 'surprise': 'U', 'sadness': 'S', 'amused': 'M'}
    """
    assigned = {e: _LETTERS.get(e, e[0].upper()) for e in emotions if e in _COLOURS}
    spare = [chr(c) for c in (*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1))]
    for emotion in (e for e in emotions if e not in assigned):
        word_letters = [c for c in emotion.upper() if c.isalpha()]
        candidates = (
            c for c in [*word_letters, *spare, *"123456789"] if c not in assigned.values()
        )
        assigned[emotion] = next(candidates, "*")
    return {e: assigned[e] for e in emotions}


def streams_of(timeline: Timeline) -> dict[str, ModalityInfo]:
    """Return name, label, colour and mark of each stream that a timeline reads or lacks."""
    infos = {**BUILT_IN, **{info.name: info for info in timeline.modalities}}
    names = [info.name for info in timeline.modalities]
    names += [s for p in timeline for s in (*p.streams, *p.shares, *p.absent)]
    return {
        s: infos.get(s) or ModalityInfo(s, s, GREY, "x", "table")
        for s in ordered([*names, *timeline.absent])
    }


def numbered(timeline: Timeline) -> Iterator[tuple[str, Prediction]]:
    """Yield the rows of a timeline with their numbers: 3 of an utterance, 3.1 of its slices."""
    for i, p in enumerate(timeline, 1):
        if not p.slices:
            yield str(i), p
        for part in p.slices:
            yield f"{i}.{part.id.rpartition('.')[2]}", part


def numeral(value: Value, number: float) -> str:
    """Format the number of a value, with a sign where its range reaches below 0.

    >>> numeral(Value.of("valence"), -0.104), numeral(Value("trust", 0, 4), 3.2)
    ('−0.10', '3.20')
    """
    sign = "+" if value.low < 0 else ""
    return f"{round(number, 2) + 0.0:{sign}.2f}".replace("-", "−")


def dimension_texts(p: Prediction) -> list[str]:
    """Return the headline's dimensions and the intensities, abbreviated: "V −0.42"."""
    row = p.dimensions.get(p.headline)
    numbers = row.numbers if row else ()
    texts = [
        f"{name[0].upper()} {numeral(Value.of(name), number)}"
        for name, number in zip(DIMENSIONS, numbers, strict=bool(row))
    ]
    return texts + [f"I {number:.2f}" for number in p.intensity.values()]


def interval(value: Value) -> str:
    """Format the range of a value.

    >>> interval(Value.of("valence"))
    '−1 to 1'
    """
    return f"{value.low:g} to {value.high:g}".replace("-", "−")


def position(value: Value, number: float) -> float:
    """Return where a number lies in the range of its value, from 0 to 1."""
    return min(1.0, max(0.0, (number - value.low) / value.width))


def percent(probability: float) -> str:
    """Format a probability in whole percent.

    >>> percent(0.624)
    '62 %'
    """
    return f"{100 * probability:.0f} %"


def clock(seconds: float, tenths: bool = False, hours: bool = False) -> str:
    """Format seconds as minutes and seconds, with hours from 60 minutes on.

    Args:
        seconds: from the beginning.
        tenths: show tenths of a second.
        hours: show hours below 60 minutes, too.

    >>> clock(65.26), clock(65.26, tenths=True), clock(3723), clock(65, hours=True)
    ('1:05', '1:05.3', '1:02:03', '0:01:05')
    """
    units = round(seconds * 10) if tenths else round(seconds) * 10
    minutes, rest = divmod(units, 600)
    whole_hours, minutes = divmod(minutes, 60)
    end = f"{rest // 10:02d}" + (f".{rest % 10}" if tenths else "")
    if whole_hours or hours:
        return f"{whole_hours}:{minutes:02d}:{end}"
    return f"{minutes}:{end}"


def ink(colour: str) -> str:
    """Return black or white, whichever is readable on the colour "#RRGGBB"."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 128 else "white"
