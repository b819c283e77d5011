"""System: the base class of every model that is trained here, and the checks that systems share.

A system's file is its paper: it holds ``Config`` (a `moodal.core.strict.Strict` with the paper's
values), the module, which takes plain arguments, and ``build(config, widths, space)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple, Protocol

import torch
from pydantic import AfterValidator, Field, ValidationInfo
from torch import Tensor, nn

from moodal.core.emotions import Targets
from moodal.core.errors import DataError, MissingStreamError, SpaceError, UsageError
from moodal.core.strict import Strict
from moodal.train.data.batch import Batch, Streams, Transcripts


def _distinct(streams: tuple[str, ...]) -> tuple[str, ...]:
    if not streams or len(set(streams)) != len(streams):
        raise ValueError("name one or more streams, such as text, speech and face, none twice")
    return streams


StreamNames = Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_distinct)]
"""A system's ``streams``: any modalities that the corpus has, none twice; in TOML a list."""

HIDDEN = {"text": 300, "speech": 200, "face": 100}
"""Hidden widths of the RNN of each stream, as in the commands of the EEA paper."""

OTHER_HIDDEN = 100
"""Hidden width of the RNN of a modality that the paper does not have."""


def complete_widths(
    defaults: Mapping[str, int], other: int
) -> Callable[[dict[str, int], ValidationInfo], dict[str, int]]:
    """Return a validator that fills in a config's widths for the streams that they do not name.

    Args:
        defaults: the paper's modality -> width.
        other: the width of a modality that the paper does not have.
    """

    def complete(widths: dict[str, int], info: ValidationInfo) -> dict[str, int]:
        streams = info.data.get("streams", ())
        known = {**defaults, **{m: other for m in streams if m not in defaults}}
        if unknown := sorted(set(widths) - set(known)):
            raise ValueError(
                f"unknown stream {', '.join(unknown)}; choose among {', '.join(known)}"
            )
        if small := [m for m, width in widths.items() if width < 1]:
            raise ValueError(f"the width of {', '.join(small)} must be at least 1")
        return {**known, **widths}

    return complete


complete_hidden = complete_widths(HIDDEN, OTHER_HIDDEN)
"""Fills in a config's ``hidden``."""


class KeyedScoring(NamedTuple):
    """A system of one modality in which a logit is the product of a state with a word's key.

    The state h [H] of an utterance is the mean of the states of its steps. The logit of a word
    with vector v [d] is h . (M v + k) + o . v.

    Attributes:
        stream: the modality.
        states: (values [B, T, D], lengths [B]) -> states of steps [B, T', H] and their lengths.
        network: the module in ``states`` that reads the frames.
        map: M [H, d]; bias: k [H]; offset: o [d].
    """

    stream: str
    states: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    network: nn.Module
    map: Tensor
    bias: Tensor
    offset: Tensor


class Objective(NamedTuple):
    """The training loss of a multitask system.

    Attributes:
        each: [B], the weighted sum of all terms of each utterance; training lowers its mean.
        parts: name -> scalar, detached, for the learning curves: each term before its weight, as
            a mean over the rows, and counts ("ctc_infinite").
    """

    each: Tensor
    parts: dict[str, Tensor]


class System(nn.Module):
    """A model that scores emotions, with what the training, the reports and the exporter ask of it.

    A subclass overrides what differs from the defaults below; `scores` is the one method that
    each must have.

    Attributes:
        streams: the modalities that it reads, in its own order.
        labels: the emotions of its head; empty where any space may be asked for.
        open_set: whether it scores any space, and not the trained one alone.
        features: stream -> {"name", "parameters"}, a part of the encoder specification that the
            stream must have been prepared with; checked against the corpus before training.
        portable: the config from which it can be built again without the user's files.
        multitask: whether training lowers its own `objective`; its main term is ``train.loss``,
            which for emotions must be ``loss_name``.
        loss_name: the name of the main term of its objective.
        main_loss: scores [B, C] and targets [B, C] -> the main term [B] of the objective of a
            multitask system, set by the training; None: cross-entropy.
        keeps_rows: whether its objective keeps something of each row, see `start_rows`.
        faithful: whether it computes over a whole padded batch, as some published code does.
        heavy: whether it has a backbone, so that scoring needs batches as small as training's.
    """

    streams: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    open_set: bool = False
    features: Mapping[str, Mapping[str, Any]] = {}
    portable: Strict
    multitask: bool = False
    loss_name: str = "ce"
    main_loss: Callable[[Tensor, Tensor], Tensor] | None = None
    keeps_rows: bool = False
    faithful: bool = False
    heavy: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """The modalities that training shows it: its streams, and what its objective reads."""
        return self.streams

    @property
    def transcribes(self) -> bool:
        """True where its objective needs ``batch.transcripts``."""
        return False

    @property
    def second_views(self) -> bool:
        """True where its objective makes use of ``batch.views``."""
        return False

    def scores(self, streams: Streams, space: Targets) -> Tensor:
        """Compute the logits [B, C] of the emotions of ``space``.

        Raises:
            SpaceError: the space does not fit a closed-set system, or has no vectors.
            MissingStreamError: a modality is absent that this system cannot do without.
        """
        raise NotImplementedError(f"{type(self).__name__} has no scores.")

    def forward(self, streams: Streams, space: Targets) -> Tensor:
        """Compute `scores`."""
        return self.scores(streams, space)

    def contributions(self, streams: Streams, space: Targets) -> dict[str, Tensor]:
        """Compute each modality's share [B, C] of the logits; empty where they are not a sum."""
        return {}

    def keyed(self) -> KeyedScoring | None:
        """Return the state and the keys by which it scores words; None where there are none."""
        return None

    def objective(self, batch: Batch, space: Targets) -> Objective | None:
        """Compute the training loss of a multitask system; None: the recipe's loss of the logits.

        Raises:
            SpaceError: ``space`` is not the trained one.
            DataError: CTC is asked for and the corpus has no transcripts.
        """
        return None

    def start_rows(self, count: int, device: torch.device | str) -> dict[str, Tensor]:
        """Start what the objective keeps of each of N rows, and return it: name -> [N, ...].

        The objective changes these tensors in place, at ``batch.rows``. They are no weights:
        checkpoints hold them, so that a training resumes with them, and artefacts do not.
        """
        return {}

    def transcribe(self, streams: Streams) -> list[str]:
        """Read the words of each utterance off its speech: B texts.

        Raises:
            UsageError: this system has no CTC head.
        """
        raise UsageError(f"{type(self).__name__} does not transcribe.")

    def backbone_parameters(self) -> list[nn.Parameter]:
        """List the parameters that ``train.backbone_lr`` applies to."""
        return []


class SystemFile(Protocol):
    """The module of a system, as `moodal.train.systems.SYSTEMS` lists it."""

    @property
    def Config(self) -> type[Strict]:
        """The class of its config."""

    def build(self, config: Any, widths: Mapping[str, int], space: Targets) -> System:
        """Build the system, with random weights, for a corpus's streams (stream -> D).

        Raises:
            MissingStreamError: the corpus lacks a modality that the config names.
            SpaceError: the space's task or vectors are not what the system needs.
            UsageError: a setting does not fit the corpus.
        """


def require_space(name: str, trained: tuple[str, ...], space: Targets) -> None:
    """Check that a space has the labels of a closed-set head.

    Raises:
        SpaceError: its labels, or their order, differ.
    """
    if space.labels != trained:
        raise SpaceError(
            f"{name} is a closed-set system: its head was trained for {', '.join(trained)} and "
            f"cannot score {', '.join(space.labels)}. Use eea for other emotions."
        )


def require_all(name: str, required: tuple[str, ...], streams: Streams) -> None:
    """Check that every utterance of a batch has every required modality.

    Raises:
        MissingStreamError: a modality is absent, for some utterance or for all.
    """
    for stream in required:
        if stream not in streams:
            raise MissingStreamError(
                f"{name} needs {stream} for every utterance and got none; "
                "use eea, which takes whatever modalities are present."
            )
        absent = int((streams[stream].lengths == 0).sum())
        if absent:
            raise MissingStreamError(
                f"{name} needs {stream} for every utterance; {absent} of "
                f"{len(streams[stream].lengths)} in this batch have none. Leave them out, or use "
                "eea, which takes whatever modalities are present."
            )


def require_widths(
    name: str, required: tuple[str, ...], widths: Mapping[str, int]
) -> dict[str, int]:
    """Return the widths of the modalities that a system is built for, in its order.

    Raises:
        MissingStreamError: the corpus lacks one.
    """
    missing = [stream for stream in required if stream not in widths]
    if missing:
        raise MissingStreamError(
            f"{name} is asked to read {', '.join(missing)}, but the corpus has "
            f"{', '.join(widths) or 'no features'}; set system.streams accordingly."
        )
    return {stream: widths[stream] for stream in required}


def require_single(name: str, space: Targets) -> None:
    """Check that each utterance of a space's corpus has one emotion, or numbers.

    Raises:
        SpaceError: an utterance may have several emotions.
    """
    if space.task == "multi":
        raise SpaceError(
            f"{name} chooses one emotion of several (task single); here the task is {space.task}: "
            "use eea or rnn."
        )


def require_transcripts(name: str, without: str, batch: Batch) -> Transcripts:
    """Return the batch's transcripts.

    Args:
        without: the setting of the system that needs no transcripts, for the message.

    Raises:
        DataError: the corpus has none.
    """
    if batch.transcripts is None:
        raise DataError(
            f"{name} learns to transcribe, and the corpus has no transcripts; set "
            f"system.{without}, or prepare a corpus with texts."
        )
    return batch.transcripts
