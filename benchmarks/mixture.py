"""The mixture of experts with which `benchmarks/regimes.py` compares the channel model.

Jacobs et al., "Adaptive Mixtures of Local Experts", Neural Computation 3, 1991. There is an expert
for each set z of the present modalities, which holds that those tell and the others are plain:

    p_z(y | x)  ~  product over m in z of exp(s_m e_m(y))
    p(y | x)    =  sum over z of g_z(x) p_z(y | x)
    g_z(x)      =  softmax over z of u_z . [1, P_m(neutral), max_y P_m(y), agreement]

P_m is the answer of modality m alone, under a level prior; the agreement of two modalities is
sum_y P_m(y) P_n(y). So what weighs modalities depends on the basic emotions alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from moodal.train.fuse.fit_channel import Setting
from moodal.train.fuse.regimes import Regime, subsets

PENALTY = 1e-3
"""The weight of the squares of all parameters, which keeps them near 0."""

Evidence = Mapping[str, np.ndarray]


def fit_mixture(
    regimes: Sequence[Regime], setting: Setting, weights: Sequence[float]
) -> Callable[[Evidence], np.ndarray]:
    """Fit a mixture for the set of modalities that is present in all of some regimes.

    Args:
        regimes: composed of rows that do not test it.
        weights: the weight of each regime.

    Returns:
        A function from evidence to log probabilities [n, K].
    """
    present = regimes[0].present
    experts = list(subsets(present))
    pairs = list(combinations(present, 2))
    gates = torch.zeros(len(experts), 1 + 2 * len(present) + len(pairs), dtype=torch.double)
    sharpness = torch.zeros(len(present), dtype=torch.double)
    unknown = torch.zeros(len(present), dtype=torch.double)  # evidence of what was never learned
    parameters = [p.requires_grad_() for p in (gates, sharpness, unknown)]

    def scores(evidence: Evidence) -> Tensor:
        logits = {}
        for i, m in enumerate(present):
            learned = torch.tensor(setting.learned[m])
            values = torch.tensor(evidence[m]).double()
            values = values - values[:, learned].mean(1, keepdim=True)
            logits[m] = sharpness[i].exp() * torch.where(learned, values, unknown[i])
        alone = {m: own.softmax(1) for m, own in logits.items()}
        seen = [torch.ones(len(values), dtype=torch.double)]
        seen += [p[:, setting.neutral] for p in alone.values()]
        seen += [p.amax(1) for p in alone.values()]
        seen += [(alone[m] * alone[n]).sum(1) for m, n in pairs]
        gate = (torch.stack(seen, 1) @ gates.T).log_softmax(1)
        answers = [sum(logits[m] for m in z).log_softmax(1) for z in experts]  # type: ignore[union-attr]
        return torch.logsumexp(gate[:, :, None] + torch.stack(answers, 1), 1)

    optimiser = torch.optim.LBFGS(parameters, max_iter=200, line_search_fn="strong_wolfe")
    share = np.array(weights, float) / np.sum(weights)

    def loss() -> Tensor:
        optimiser.zero_grad()
        total = PENALTY * sum((p**2).sum() for p in parameters)
        for weight, regime in zip(share, regimes, strict=True):
            logs = scores(regime.evidence)
            total = (
                total - weight * logs[torch.arange(len(logs)), torch.tensor(regime.labels)].mean()
            )
        total.backward()  # type: ignore[union-attr]
        return total  # type: ignore[return-value]

    optimiser.step(loss)

    def log_probabilities(evidence: Evidence) -> np.ndarray:
        with torch.no_grad():
            return scores(evidence).numpy()

    return log_probabilities
