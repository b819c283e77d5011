"""seconds: which second views a training may draw, and transcripts as CTC spells them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Views
from moodal.train.data.batch import Transcripts
from moodal.train.data.characters import BLANK, spell


def wanted(manifest: Manifest, streams: Sequence[str], views: str) -> dict[str, Views]:
    """The corpus's views of ``streams``: "none", "any", "given" or "made".

    Raises:
        DataError: views are wanted, and there is none such.
    """
    if views == "none":
        return {}
    found = {}
    for stream in streams:
        if stream in manifest.views:
            all_of = manifest.views[stream]
            fits = np.ones(len(all_of.rows), bool)
            if views != "any":
                fits = np.asarray(all_of.given) == (views == "given")
            kept = np.flatnonzero(fits)
            if len(kept):
                found[stream] = Views(
                    all_of.frames if len(kept) == len(fits) else all_of.frames.select(kept),
                    np.asarray(all_of.rows)[kept],
                    np.asarray(all_of.given)[kept],
                )
                width = manifest.features[stream].width
                if found[stream].frames.width != width:
                    raise DataError(
                        f"{manifest.corpus}: views of {stream} are {all_of.frames.width} wide, "
                        f"{stream} itself {width}; prepare both with one encoder."
                    )
    if not found:
        kind = "" if views == "any" else f"{views} "
        raise DataError(
            f"{manifest.corpus} has no {kind}views of {' or '.join(streams)} (data.views = "
            f'"{views}"); prepare it with --views, or set data.views = "none".'
        )
    return found


def spelled(manifest: Manifest, device: torch.device) -> Transcripts:
    """Every utterance's ``ctc_text``, else its text, as numbers of characters [N, L]."""
    rows = [spell(u.extra.get("ctc_text", u.text) or "") for u in manifest.utterances]
    if not any(rows):
        raise DataError(f"{manifest.corpus} has no texts, which CTC spells; set the loss without.")
    out = np.full((len(rows), max(map(len, rows))), BLANK, np.int64)
    for row, numbers in enumerate(rows):
        out[row, : len(numbers)] = numbers
    lengths = np.array([len(numbers) for numbers in rows], np.int64)
    return Transcripts(torch.as_tensor(out, device=device), torch.as_tensor(lengths, device=device))
