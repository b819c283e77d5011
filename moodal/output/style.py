"""How emotions, streams and times look, alike in the terminal, in plots and in files."""

from __future__ import annotations

from collections.abc import Sequence

from moodal.core.records import ModalityInfo, ordered
from moodal.core.timeline import Prediction, Timeline

UNSURE = "unsure"
"""Where the model abstains."""

GREY = "#8C8C8C"

BUILT_IN = {
    "text": ModalityInfo("text", "words", "#0072B2", "o", "text"),
    "speech": ModalityInfo("speech", "voice", "#E69F00", "s", "sound"),
    "face": ModalityInfo("face", "face", "#009E73", "^", "pictures"),
}
"""What is shown of the streams of a timeline that does not bring it."""

HATCHES = {"o": "", "s": "////", "^": "...."}
"""Mark of a stream -> the hatch of its bars; other streams have crosses."""

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
# for words that were asked for beside these: Tol's muted scheme
_MORE = ("#882255", "#44AA99", "#332288", "#AA4499", "#999933", "#CC6677", "#117733", "#661100")


def colours(emotions: Sequence[str]) -> dict[str, str]:
    """Emotion -> "#RRGGBB"; the basic ones always the same.

    >>> colours(["anger", "bored"])
    {'anger': '#D55E00', 'bored': '#882255'}
    """
    others = [e for e in emotions if e not in _COLOURS]
    more = {e: _MORE[i % len(_MORE)] for i, e in enumerate(others)}
    return {e: _COLOURS.get(e) or more[e] for e in emotions}


def letters(emotions: Sequence[str]) -> dict[str, str]:
    """Emotion -> one sign of its own, the basic ones always the same.

    >>> letters(["anger", "surprise", "sadness", "amused"])
    {'anger': 'A', 'surprise': 'U', 'sadness': 'S', 'amused': 'M'}
    """
    made = {e: _LETTERS.get(e, e[0].upper()) for e in emotions if e in _COLOURS}
    spare = [chr(c) for c in (*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1))]
    for emotion in (e for e in emotions if e not in made):
        own = [c for c in emotion.upper() if c.isalpha()]
        free = (c for c in [*own, *spare, *"123456789"] if c not in made.values())
        made[emotion] = next(free, "*")
    return {e: made[e] for e in emotions}


def streams_of(timeline: Timeline) -> dict[str, ModalityInfo]:
    """Return what is shown of each stream of a timeline: of those it reads, and those it lacks."""
    known = {**BUILT_IN, **{info.name: info for info in timeline.modalities}}
    names = [info.name for info in timeline.modalities]
    names += [s for p in timeline for s in (*p.streams, *p.shares, *p.absent)]
    return {
        s: known.get(s) or ModalityInfo(s, s, GREY, "x", "table")
        for s in ordered([*names, *timeline.absent])
    }


def label(prediction: Prediction) -> str:
    """The decided emotion, or "unsure"."""
    return prediction.decided[0] if prediction.decided else UNSURE


def told(prediction: Prediction) -> str:
    """The emotion that percentages and shares are told of: decided, or the most probable."""
    return prediction.decided[0] if prediction.decided else prediction.top


def percent(probability: float) -> str:
    """Whole percents.

    >>> percent(0.624)
    '62 %'
    """
    return f"{100 * probability:.0f} %"


def clock(seconds: float, tenths: bool = False) -> str:
    """Minutes and seconds, with hours where there are some.

    >>> clock(65.26), clock(65.26, tenths=True), clock(3723)
    ('1:05', '1:05.3', '1:02:03')
    """
    units = round(seconds * 10) if tenths else round(seconds) * 10
    minutes, rest = divmod(units, 600)
    hours, minutes = divmod(minutes, 60)
    end = f"{rest // 10:02d}" + (f".{rest % 10}" if tenths else "")
    return f"{hours}:{minutes:02d}:{end}" if hours else f"{minutes}:{end}"


def plain(text: str) -> str:
    """On one line, without control characters (a terminal obeys them) and broken letters.

    >>> plain("a\\x1b[31m\\n b")
    'a[31m b'
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    kept = "".join(c for c in text if c.isprintable() or c.isspace() or c in "\u200c\u200d")
    return " ".join(kept.split())


def ink(colour: str) -> str:
    """Black or white, whichever reads on "#RRGGBB"."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 128 else "white"
