"""CTC: the probability of a transcript under any alignment with the frames.

Graves, Fernandez, Gomez, Schmidhuber: "Connectionist Temporal Classification", ICML 2006.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from moodal.train.data.batch import Transcripts
from moodal.train.data.characters import BLANK, collapse, unspell


class CTCLoss(NamedTuple):
    """CTC's loss of each utterance.

    Attributes:
        each: [B] float32, -log p(transcript | frames), a sum over its characters; 0 where
            there is no transcript, or where it cannot be spelled.
        infinite: scalar, the count of utterances with too few frames for their transcript.
    """

    each: Tensor
    infinite: Tensor


def ctc(logits: Tensor, lengths: Tensor, transcripts: Transcripts) -> CTCLoss:
    """Compute CTC's loss of each utterance, in 32 bits.

    A transcript needs a frame per character and one more between two equal ones; with fewer
    its probability is 0 and its loss infinite. Such a loss is set to 0, has no gradient, and is
    counted.

    Args:
        logits: [B, T, K] of characters, number 0 the blank.
        lengths: [B] frames of each utterance.
    """
    characters, counts = transcripts.characters, transcripts.lengths
    with torch.autocast(logits.device.type, enabled=False):
        each = F.ctc_loss(
            logits.float().log_softmax(2).transpose(0, 1),
            characters,
            lengths,
            counts,
            blank=BLANK,
            reduction="none",
            zero_infinity=True,
        )
    repeated = (characters[:, 1:] == characters[:, :-1]) & (characters[:, 1:] != BLANK)
    infinite = counts + repeated.sum(1) > lengths
    return CTCLoss(each.masked_fill((counts == 0) | infinite, 0.0), infinite.sum())


def greedy(logits: Tensor, lengths: Tensor) -> list[str]:
    """Spell the best character of each frame: [B, T, K] -> B texts."""
    best = logits.argmax(2).cpu().tolist()
    return [unspell(collapse(row[:n])) for row, n in zip(best, lengths.cpu().tolist(), strict=True)]
