"""LOSSES: the recipe's losses, per utterance, so that unequal shards can be weighted.

Each takes logits and targets [B, C], and a weight [C] or None, and gives [B]; its mean over
utterances is the published code's loss.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from moodal.core.emotions import Values
from moodal.core.errors import UsageError


def bce(logits: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
    """Compute binary cross-entropy, a mean over emotions; ``weight`` [C] weighs positives.

    Emotions of which a row says nothing, NaN in the targets, do not count.
    """
    known = ~targets.isnan()
    losses = F.binary_cross_entropy_with_logits(
        logits, targets.nan_to_num(0.0), pos_weight=weight, reduction="none"
    )
    return losses.masked_fill(~known, 0.0).sum(1) / known.sum(1).clamp(min=1)


def ce(logits: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
    """Compute cross-entropy with the raw target rows: sum over emotions of -y_c log softmax_c.

    On one-hot rows this is ordinary cross-entropy, on shares of raters the soft one. On multi-hot
    rows, which the published commands use, a row counts once per emotion in it, and a row without
    emotions does not count. ``weight`` is not used.
    """
    return F.cross_entropy(logits, targets, reduction="none")


def kl(logits: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
    """Compute the Kullback-Leibler divergence of softmax(logits) from the shares of raters.

    It is `ce` less the entropy of each row of targets, so that it is 0 where the prediction equals
    the shares; its gradients are those of `ce`. ``weight`` is not used.
    """
    return ce(logits, targets) + torch.xlogy(targets, targets).sum(1)


def l1(logits: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
    """Compute the absolute error, a mean over columns; ``weight`` [C] multiplies errors."""
    return _errors(logits, targets, weight).abs().mean(1)


def mse(logits: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
    """Compute the squared error, a mean over columns; ``weight`` [C] multiplies errors."""
    return _errors(logits, targets, weight).square().mean(1)


def ccc(logits: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
    """Compute 1 - the concordance correlation (Lin 1989) of the B rows, a mean over columns.

    It compares the rows with each other, so that every row has the loss of all of them, which is
    the smoother the more rows are computed at once. It does not depend on the scale of a column;
    ``weight`` is not used.
    """
    t, p = targets - targets.mean(0), logits - logits.mean(0)
    apart = t.square().mean(0) + p.square().mean(0) + (logits.mean(0) - targets.mean(0)).square()
    # one row, or rows that are all alike, have no concordance
    concordance = 2 * (t * p).mean(0) / apart.clamp(min=1e-8)
    return (1 - concordance.mean()).expand(len(logits))


def _errors(logits: Tensor, targets: Tensor, weight: Tensor | None) -> Tensor:
    return logits - targets if weight is None else (logits - targets) * weight


LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor | None], Tensor]] = {
    "bce": bce,
    "ce": ce,
    "kl": kl,
    "l1": l1,
    "mse": mse,
    "ccc": ccc,
}

VALUES = ("l1", "mse", "ccc")
"""Those for values; the others are for emotions."""


def per_utterance(
    name: str, logits: Tensor, targets: Tensor, weight: Tensor | None = None
) -> Tensor:
    """Compute the loss ``name`` of each utterance: [B], in float32 at least.

    Raises:
        UsageError: there is no such loss.
    """
    if name not in LOSSES:
        raise UsageError(f"No loss {name!r}; choose one of {', '.join(LOSSES)}.")
    if logits.dtype in (torch.bfloat16, torch.float16):
        logits = logits.float()
    return LOSSES[name](logits, targets.to(logits.dtype), weight)


def loss(name: str, logits: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
    """Average `per_utterance` over the utterances: a scalar.

    >>> float(loss("mse", torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0, 1.0]])))
    2.5
    """
    return per_utterance(name, logits, targets, weight).mean()


def range_weight(values: Values) -> Tensor | None:
    """Weigh the errors of values [C] so that each counts by its share of its range.

    Values of one range, or a single one, need no weights: None.

    >>> from moodal.core.emotions import Value
    >>> range_weight(Values([Value("valence", -1, 1), Value("trust", 0, 4)]))
    tensor([1.5000, 0.7500])
    """
    widths = torch.tensor([value.width for value in values.values], dtype=torch.float32)
    return None if (widths == widths[0]).all() else widths.mean() / widths


def pos_weight(labels: Tensor) -> Tensor:
    """Count negatives per positive of each emotion: labels [N, C] of 0 to 1 and NaN -> [C] float32.

    Shares of raters between 0 and 1 count as such parts of a row.

    An emotion without a positive gets 1: there is nothing to weight, and
    negatives / 0 would make every loss infinite or NaN.

    >>> pos_weight(torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])).tolist()
    [2.0, 1.0]
    """
    positives = labels.nan_to_num(0.0).clamp(0.0, 1.0).double().sum(0)
    negatives = (~labels.isnan()).sum(0) - positives
    ratio = negatives.float() / positives.clamp(min=1e-9).float()
    return torch.where(positives > 0, ratio, torch.ones_like(ratio))
