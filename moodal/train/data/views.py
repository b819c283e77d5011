"""Second views that a training may draw, and transcripts as CTC's targets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Views
from moodal.train.data.batch import Transcripts
from moodal.train.data.characters import BLANK, spell


def views_of(manifest: Manifest, streams: Sequence[str], kind: str) -> dict[str, Views]:
    """Select the corpus's views of ``streams``.

    Args:
        kind: "none", "any", "given" (brought by the corpus) or "made" (by `moodal prepare`).

    Raises:
        DataError: views are asked for, and the corpus has none of that kind.
    """
    if kind == "none":
        return {}
    chosen: dict[str, Views] = {}
    for stream in streams:
        if stream not in manifest.views:
            continue
        views = manifest.views[stream]
        fits = np.ones(len(views.rows), bool)
        if kind != "any":
            fits = np.asarray(views.given) == (kind == "given")
        kept = np.flatnonzero(fits)
        if not len(kept):
            continue
        width = manifest.features[stream].width
        if views.frames.width != width:
            raise DataError(
                f"{manifest.corpus}: views of {stream} are {views.frames.width} wide, "
                f"{stream} itself {width}; prepare both with one encoder."
            )
        chosen[stream] = Views(
            views.frames if len(kept) == len(fits) else views.frames.select(kept),
            np.asarray(views.rows)[kept],
            np.asarray(views.given)[kept],
        )
    if not chosen:
        which = "" if kind == "any" else f"{kind} "
        raise DataError(
            f"{manifest.corpus} has no {which}views of {' or '.join(streams)} (data.views = "
            f'"{kind}"); prepare it with --views, or set data.views = "none".'
        )
    return chosen


def transcripts_of(manifest: Manifest, device: torch.device) -> Transcripts:
    """Convert every utterance's ``ctc_text``, else its text, to numbers of characters [N, L]."""
    rows = [spell(u.extra.get("ctc_text", u.text) or "") for u in manifest.utterances]
    if not any(rows):
        raise DataError(f"{manifest.corpus} has no texts, which CTC needs; set the loss without.")
    out = np.full((len(rows), max(map(len, rows))), BLANK, np.int64)
    for row, numbers in enumerate(rows):
        out[row, : len(numbers)] = numbers
    lengths = np.array([len(numbers) for numbers in rows], np.int64)
    return Transcripts(torch.as_tensor(out, device=device), torch.as_tensor(lengths, device=device))
