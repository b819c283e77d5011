"""WavLM's attention on PyTorch's fused kernel, which transformers' own does not use.

Chen et al., "WavLM: Large-Scale Self-Supervised Pre-Training for Full Stack Speech Processing",
JSTSP 2022, section III-B: a gated bias by relative position is added to the scores.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional as F
from transformers.models.wavlm.modeling_wavlm import WavLMAttention


class FusedAttention(WavLMAttention):
    """WavLM's attention with equal weights and results, without returned attention weights."""

    def torch_multi_head_self_attention(  # type: ignore[override]
        self, hidden_states: Tensor, attention_mask: Tensor | None, gated_position_bias: Tensor
    ) -> tuple[Tensor, None]:
        """Attend within [B, T, H], with a mask [B, T] of valid steps and a bias by position."""
        batch, steps, width = hidden_states.shape
        shape = (batch, steps, self.num_heads, self.head_dim)
        query, key, value = (
            project(hidden_states).view(shape).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        scores = gated_position_bias.view(batch, self.num_heads, steps, steps)
        if attention_mask is not None:
            scores = scores.masked_fill(~attention_mask.bool()[:, None, None], -float("inf"))
        out = F.scaled_dot_product_attention(
            query, key, value, scores.to(query.dtype), self.dropout if self.training else 0.0
        )
        return self.out_proj(out.transpose(1, 2).reshape(batch, steps, width)), None


def fuse(model: Any) -> None:
    """Use fused attention in every layer of a WavLM model, with the weights that it has."""
    for layer in model.encoder.layers:
        layer.attention.__class__ = FusedAttention
