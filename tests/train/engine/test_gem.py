"""GEM's projection and the three ways of few-shot adaptation."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.train.engine.gem import project


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_the_projected_step_never_points_against_the_memory(seed):
    rng = np.random.default_rng(seed)
    step = [torch.tensor(rng.normal(size=(3, 2))), torch.tensor(rng.normal(size=4))]
    memory = [torch.tensor(rng.normal(size=(3, 2))), torch.tensor(rng.normal(size=4))]

    def dot(a, b):
        return sum(float((x * y).sum()) for x, y in zip(a, b, strict=True))

    turned = project(step, memory, margin=0.0)
    assert dot(turned, memory) >= -1e-9
    if dot(step, memory) >= 0:
        assert turned is step
    else:
        # the nearest such step: what was added lies along the memory and ends on the border
        assert abs(dot(turned, memory)) < 1e-9


def test_the_margin_pushes_into_the_allowed_side():
    step, memory = [torch.tensor([0.0, -1e-6])], [torch.tensor([0.0, 1.0])]
    turned = project(step, memory, margin=0.01)
    assert float(turned[0][1]) > 0.009
