"""BertLayer: the post-norm Transformer layer of BERT, over itself or across two sequences.

Devlin et al., "BERT", NAACL 2019, after Vaswani et al., NeurIPS 2017; across two sequences as
in Yu et al., "Improving Multimodal Named Entity Recognition via Entity Span Detection with
Unified Multimodal Transformer", ACL 2020, section 3.3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BertLayer(nn.Module):
    """Attention, then a feed-forward, each with dropout, a residual sum and a normalisation.

    Queries, and with them the residual sums, come from the first sequence; keys and values
    from the second.

    Args:
        width: D of both sequences.
        heads: must divide ``width``.
        inner: hidden width of the feed-forward.
        dropout: of attention weights and before each residual sum.
    """

    def __init__(self, width: int, heads: int, inner: int, dropout: float = 0.1):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.inner, self.outer = nn.Linear(width, inner), nn.Linear(inner, width)
        self.norm_outer = nn.LayerNorm(width, eps=1e-12)
        for linear in (self.query, self.key, self.value, self.out, self.inner, self.outer):
            nn.init.normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor, source: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend from x [B, T, D] to source [B, S, D] -> [B, T, D].

        Args:
            mask: [B, S]; bool, True on the steps of ``source`` that may be attended to, or
                numbers that are added to every query's scores; None: no mask.
        """
        q = self._split(self.query(x))
        k, v = self._split(self.key(source)), self._split(self.value(source))
        if mask is not None:
            mask = mask[:, None, None]
            mask = mask if mask.dtype == torch.bool else mask.to(q.dtype)
        attended = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=self.dropout if self.training else 0.0
        )
        joined = self.out(attended.transpose(1, 2).flatten(2))
        x = self.norm(x + F.dropout(joined, self.dropout, self.training))
        fed = self.outer(F.gelu(self.inner(x)))
        normed: Tensor = self.norm_outer(x + F.dropout(fed, self.dropout, self.training))
        return normed

    def _split(self, x: Tensor) -> Tensor:
        """Split the heads: [B, T, D] -> [B, heads, T, D / heads]."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)
