"""Words: taking them out of predictions and timelines."""

from __future__ import annotations

from dataclasses import replace

from moodal.core.timeline import Prediction, Timeline


def without_words(p: Prediction) -> Prediction:
    """Return a prediction without its single words; what was theirs goes to the rest.

    The emotions remain, and so does the share of the text as a whole.
    """
    if not p.words:
        return p
    streams = [s for s in p.rest if s in p.shares and not any(m.stream == s for m in p.moments)]
    rest = {s: dict(p.shares[s]) if s in streams else own for s, own in p.rest.items()}
    return replace(p, words=(), rest=rest)


def without_text(timeline: Timeline) -> Timeline:
    """Return a timeline that holds no word that was said or written."""
    predictions = tuple(_silenced(p) for p in timeline)
    return replace(timeline, predictions=predictions)


def _silenced(p: Prediction) -> Prediction:
    return replace(without_words(p), text=None, slices=tuple(map(_silenced, p.slices)))
