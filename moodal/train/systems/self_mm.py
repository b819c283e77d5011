"""Self-MM: a multimodal task, and unimodal ones whose labels the training generates itself.

Wenmeng Yu, Hua Xu, Ziqi Yuan, Jiele Wu: "Learning Modality-Specific Representations with
Self-Supervised Multi-Task Learning for Multimodal Sentiment Analysis", AAAI 2021, arXiv
2102.04830. Equations, tests and known deviations are listed in docs/papers/self_mm.md.

Symbols: s a modality (text, speech, face) and m the multimodal task; F_s the representation of a
modality; F*_s, F*_m [d] its projection and that of all joined; y_m the label of an utterance, y_s
the one generated for a modality (its u-label); C^p, C^n the centres of the positive and of the
negative training rows; D^p, D^n an utterance's distances to them, and alpha the relative one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from moodal.core.emotions import Targets, Values
from moodal.core.errors import UsageError
from moodal.core.strict import Strict
from moodal.core.targets import JointTargets
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.text import TextBackbone, build_text, text_features
from moodal.train.data.batch import Batch, Streams
from moodal.train.layers.recurrent import Recurrent
from moodal.train.systems.system import (
    Objective,
    StreamNames,
    System,
    complete_widths,
    require_all,
    require_space,
    require_widths,
)

HIDDEN = {"text": 64, "speech": 32, "face": 64}
"""Width of each modality's LSTM; text has one where it is not read by a backbone."""

PROJECTED = {"text": 64, "speech": 16, "face": 32}
"""d_s: width of each modality's projection."""

OTHER = 32
"""Either width of a modality that the paper does not have."""

EPSILON = 1e-8
"""Keeps a distance or a relative distance of 0 from dividing."""

M = "m"
"""The multimodal task."""


class Config(Strict):
    """The paper's values, those of its authors for CMU-MOSI."""

    streams: StreamNames = ("text", "speech", "face")
    text: Backbone = Backbone()
    """The backbone of text, whose first token's state is F_t; without a path, an LSTM reads the
    text's features."""
    hidden: dict[str, int] = Field(HIDDEN, validate_default=True)
    projected: dict[str, int] = Field(PROJECTED, validate_default=True)
    width: int = Field(128, ge=1)
    """d_m, the width of the multimodal projection."""
    dropout: float = Field(0.1, ge=0, lt=1)

    _hidden = field_validator("hidden")(complete_widths(HIDDEN, OTHER))
    _projected = field_validator("projected")(complete_widths(PROJECTED, OTHER))

    @model_validator(mode="after")
    def _several(self) -> Config:
        if len(self.streams) < 2:
            raise ValueError("self_mm compares modalities with their fusion: name at least two")
        return self


class SelfMM(System):
    """Representations of each modality that serve a joint head and one head each.

    Args:
        labels: the C values or emotions of the heads.
        widths: stream -> D, two or more, in the order in which they are joined.
        text: the backbone of text, or None: text is read by an LSTM, too.
        hidden: stream -> width of its LSTM.
        projected: stream -> d_s.
        width: d_m.
        dropout: before each projection.
    """

    multitask = True
    heavy = True
    keeps_rows = True
    portable: Config

    def __init__(
        self,
        labels: tuple[str, ...],
        widths: Mapping[str, int],
        text: TextBackbone | None,
        *,
        hidden: Mapping[str, int],
        projected: Mapping[str, int],
        width: int,
        dropout: float,
    ):
        super().__init__()
        self.labels, self.streams, self.dropout = labels, tuple(widths), dropout
        self.heavy = text is not None
        # 3.2, the representation of each modality
        self.text = text
        read = [m for m in self.streams if m != "text" or text is None]
        self.lstm = nn.ModuleDict({m: Recurrent(widths[m], hidden[m]) for m in read})
        f = {m: hidden[m] if m in read or text is None else text.width for m in self.streams}
        # the tasks: multimodal, and one for each modality
        joined = sum(f.values())
        self.sizes = {M: width, **{m: projected[m] for m in self.streams}}
        self.project = nn.ModuleDict(
            {task: nn.Linear(f.get(task, joined), d) for task, d in self.sizes.items()}
        )
        self.predict = nn.ModuleDict(
            {task: nn.Linear(d, len(labels)) for task, d in self.sizes.items()}
        )
        self.rows: dict[str, Tensor] = {}

    def represent(self, streams: Streams) -> dict[str, Tensor]:
        """Compute F_s of each modality: stream -> [B, width of F_s]."""
        out = {}
        for s in self.streams:
            values, lengths = streams[s]
            if s == "text" and self.text is not None:
                out[s] = self.text(values, lengths)[0][:, 0]
            else:
                out[s] = self.lstm[s](values, lengths).flatten(1)
        return out

    def projections(self, f: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute F*_m [B, d_m] of all modalities joined, and F*_s [B, d_s] of each."""
        inputs = {M: torch.cat([f[s] for s in self.streams], 1), **f}
        return {task: self._projection(task, x) for task, x in inputs.items()}

    def _projection(self, task: str, x: Tensor) -> Tensor:
        projected: Tensor = self.project[task](F.dropout(x, self.dropout, self.training))
        return projected.relu()

    def scores(self, streams: Streams, space: Targets) -> Tensor:
        """Compute y^_m [B, C], of the multimodal task alone.

        Raises:
            SpaceError: ``space`` is not the trained one.
            MissingStreamError: a stream is absent for some utterance.
        """
        require_space("self_mm", self.labels, space)
        require_all("self_mm", self.streams, streams)
        f = self.represent(streams)
        joined = torch.cat([f[s] for s in self.streams], 1)
        y: Tensor = self.predict[M](self._projection(M, joined))
        return y

    def backbone_parameters(self) -> list[nn.Parameter]:
        """List the text backbone's parameters that train."""
        return [] if self.text is None else self.text.trained_parameters()

    # 3.3, unimodal label generation

    def start_rows(self, count: int, device: torch.device | str) -> dict[str, Tensor]:
        """Start the memory of N rows, empty.

        Returns:
            "visits" [N], how often a row was read; of each task t "features t" [N, d_t], its F* at
            the last visit, and "label t" [N, C], its label: y_m, or its u-label.
        """
        rows = {"visits": torch.zeros(count, device=device)}
        for task, d in self.sizes.items():
            rows[f"features {task}"] = torch.zeros(count, d, device=device)
            rows[f"label {task}"] = torch.zeros(count, len(self.labels), device=device)
        self.rows = rows
        return rows

    def distances(self, task: str, projected: Tensor) -> Tensor:
        """Compute alpha [B, C] of utterances to the rows read so far; NaN without such a centre.

        A centre is the mean of F* over the rows whose label in this task is above, or below, 0;
        a distance is squared and divided by the root of d.
        """
        labels, features = self.rows[f"label {task}"], self.rows[f"features {task}"]

        def to_centre(members: Tensor) -> Tensor:
            members = members.to(features.dtype)
            centres = members.T @ features / members.sum(0)[:, None]  # no members: 0 / 0
            squares = (projected[:, None] - centres).square().sum(2)
            return squares / math.sqrt(projected.shape[1])

        positive, negative = to_centre(labels > 0), to_centre(labels < 0)
        return (negative - positive) / (positive + EPSILON)

    def generate(self, y: Tensor, alpha_m: Tensor, alpha_s: Tensor, limit: Tensor) -> Tensor:
        """Compute y_s = y_m + (alpha_s - alpha_m) / 2 * (y_m + alpha_m) / alpha_m, limited.

        It is the mean of y_m alpha_s / alpha_m and of y_m + alpha_s - alpha_m.

        Args:
            y: y_m [B, C], 0 in the middle of the range.
            limit: [C], the end of the range.
        """
        ratio = torch.where(alpha_m.abs() < EPSILON, EPSILON, alpha_m)
        shifted = y + (alpha_s - alpha_m) / 2 * (y + alpha_m) / ratio
        return torch.minimum(torch.maximum(shifted, -limit), limit)

    @torch.no_grad()
    def remember(
        self, rows: Tensor, y: Tensor, projected: Mapping[str, Tensor], limit: Tensor
    ) -> None:
        """Update the u-labels and the features of a batch's rows (algorithm 1).

        The first visit of a row sets y_s = y_m. The i-th gives (i - 1) / (i + 1) to its u-label of
        before and 2 / (i + 1) to the one generated now; without both centres it stays.
        """
        f = {task: x.detach().float() for task, x in projected.items()}
        i = self.rows["visits"][rows, None] + 1
        alpha = {task: self.distances(task, x) for task, x in f.items()}
        for s in self.streams:
            labels = self.rows[f"label {s}"]
            new = self.generate(y, alpha[M], alpha[s], limit)
            new = (i - 1) / (i + 1) * labels[rows] + 2 / (i + 1) * new
            labels[rows] = torch.where((i > 1) & new.isfinite(), new, self.u_label(s, rows, y))
        self.rows[f"label {M}"][rows] = y
        for task, x in f.items():
            self.rows[f"features {task}"][rows] = x
        self.rows["visits"][rows] += 1

    def u_label(self, s: str, rows: Tensor, y: Tensor) -> Tensor:
        """Return y_s [B, C] as it is now: y_m for a row that is read for the first time."""
        first = self.rows["visits"][rows, None] == 0
        return torch.where(first, y, self.rows[f"label {s}"][rows])

    # 3.4, optimisation objectives

    def objective(self, batch: Batch, space: Targets) -> Objective:
        """Compute |y^_m - y_m| + sum over s of tanh |y_s - y_m| |y^_s - y_s| of each utterance [B].

        Each term is a mean over the C labels. For words |.| is binary cross-entropy. Labels of
        which a row says nothing (NaN) do not count.

        Raises:
            SpaceError: ``space`` is not the trained one.
            MissingStreamError: a stream is absent for some utterance.
            UsageError: `start_rows` was not called.
        """
        require_space("self_mm", self.labels, space)
        require_all("self_mm", self.streams, batch.streams)
        if not self.rows:
            raise UsageError(
                "self_mm generates labels of training rows: call start_rows before its objective."
            )
        y, limit = centred(batch.targets, space)
        known = ~y.isnan()
        y = y.nan_to_num(0.0)
        projected = self.projections(self.represent(batch.streams))
        count = known.sum(1).clamp(min=1)

        def term(task: str, target: Tensor, weight: Tensor) -> Tensor:
            predicted = self.predict[task](projected[task]).float()
            errors = weight * known * difference(predicted, target, space)
            return errors.sum(1) / count

        each = term(M, y, torch.ones_like(y))
        parts = {M: each.detach().mean()}
        for s in self.streams:
            y_s = self.u_label(s, batch.rows, y)
            gap = (y_s - y).abs()
            own = term(s, y_s, gap.tanh())
            each = each + own
            parts |= {s: own.detach().mean(), f"{s}_shift": gap.mean()}
        self.remember(batch.rows, y, projected, limit)
        return Objective(each, parts)


def centred(targets: Tensor, space: Targets) -> tuple[Tensor, Tensor]:
    """Return the targets [B, C] as numbers around 0, and the end [C] of their range.

    A value is measured from the middle of its range, as the network's outputs are. Words are one
    against the rest: -1 where a word is absent and 1 where it is present.
    """
    if isinstance(space, Values):
        numbers = (space.middle, space.unit, (space.high - space.middle) / space.unit)
        middle, unit, limit = (torch.from_numpy(x).to(targets) for x in numbers)
        return (targets - middle) / unit, limit
    return 2 * targets - 1, torch.ones_like(targets[0])


def difference(predicted: Tensor, target: Tensor, space: Targets) -> Tensor:
    """Compute the loss of each label [B, C]: the absolute error, or of words the cross-entropy."""
    if isinstance(space, Values):
        return (predicted - target).abs()
    share = (target + 1) / 2
    return F.binary_cross_entropy_with_logits(predicted, share, reduction="none")


def build(config: Config, widths: Mapping[str, int], space: Targets) -> SelfMM:
    """Build a Self-MM for a corpus's streams (stream -> D) and the labels of ``space``.

    Raises:
        MissingStreamError: the corpus lacks a modality that ``config.streams`` names.
        UsageError: ``space`` is of emotions and values at once; the text's backbone is not
            installed, or none is named for token ids.
    """
    if isinstance(space, JointTargets):
        raise UsageError(
            "self_mm learns emotions or values, not both at once: leave data.targets out, or set "
            "it to 'values'."
        )
    own_widths = require_widths("self_mm", config.streams, widths)
    text, features = None, {}
    if "text" in own_widths:
        features = text_features(config.text, own_widths["text"])
        backbone = build_text(config.text, own_widths["text"])
        text = None if backbone.model is None else backbone
    settings = config.model_dump(exclude={"streams", "text"})
    system = SelfMM(space.labels, own_widths, text, **settings)
    system.loss_name = "l1" if isinstance(space, Values) else "bce"
    system.features = features
    system.portable = config if text is None else config.model_copy(update={"text": text.settings})
    return system
