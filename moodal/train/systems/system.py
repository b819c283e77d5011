"""System: what the loop, the reports and the exporter ask of a model.

A system is a `torch.nn.Module` whose ``forward`` is its ``scores``. Its file
holds ``Config`` (a `moodal.core.recipe.Strict` with the paper's values), the module, which
takes plain arguments, and ``build(config, widths, space)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, Protocol

from pydantic import AfterValidator, Field
from torch import Tensor

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError, MissingStreamError, SpaceError, UsageError
from moodal.train.backbones.settings import Backbone
from moodal.train.data.batch import Batch, Streams, Transcripts


def _distinct(streams: tuple[str, ...]) -> tuple[str, ...]:
    if not streams or len(set(streams)) != len(streams):
        raise ValueError("name one or more of text, speech and face, none twice")
    return streams


StreamNames = Annotated[
    tuple[Literal["text", "speech", "face"], ...], Field(strict=False), AfterValidator(_distinct)
]
"""A config's ``streams``: any modalities in any order, none twice; TOML has them as a list."""

HIDDEN = {"text": 300, "speech": 200, "face": 100}
"""Hidden widths of the RNN of each stream, as in the commands of the EEA paper."""


def complete_hidden(hidden: dict[str, int]) -> dict[str, int]:
    """A config's ``hidden``, streams that it does not name filled in from `HIDDEN`."""
    if unknown := sorted(set(hidden) - set(HIDDEN)):
        raise ValueError(f"unknown stream {', '.join(unknown)}; choose among {', '.join(HIDDEN)}")
    if small := [m for m, width in hidden.items() if width < 1]:
        raise ValueError(f"the width of {', '.join(small)} must be at least 1")
    return {**HIDDEN, **hidden}


class Objective(NamedTuple):
    """What training lowers, where it is more than a loss of the logits.

    Attributes:
        each: [B], every term in it, weighted; training lowers its mean.
        parts: name -> scalar, detached: each term before its weight, a mean over the rows, and
            counts ("ctc_infinite"); for the learning curves.
    """

    each: Tensor
    parts: dict[str, Tensor]


class System(Protocol):
    """A model that scores emotions.

    Some have more; the loop and the reports use it where it is there:

    - ``objective(batch, space) -> Objective``: its own training loss (then ``train.loss`` must be
      "ce"); ``transcribes``: it wants ``batch.transcripts``; ``second_views``: and ``batch.views``.
    - ``transcribe(streams) -> list[str]``: what its CTC head reads, B strings.
    - ``backbone_parameters() -> list``: the parameters that ``train.backbone_lr`` is for.
    - ``features``: stream -> {"name", "parameters"} of the encoder specification that it must be
      given (a part of it), checked against the corpus before training.
    - ``portable``: the config from which it can be built again without files of the user's.

    Attributes:
        streams: the modalities it reads, in its own order.
        open_set: whether any space may be asked for (else only the trained one).
    """

    streams: tuple[str, ...]
    open_set: bool

    def scores(self, streams: Streams, space: EmotionSpace) -> Tensor:
        """Logits [B, C] of the emotions of ``space``.

        Raises:
            SpaceError: the space does not fit a closed-set system, or has no vectors.
            MissingStreamError: a modality is absent that this system cannot do without.
        """
        ...


def require_space(name: str, trained: tuple[str, ...], space: EmotionSpace) -> None:
    """Refuse a space whose labels differ from a closed-set head's, in words."""
    if space.labels != trained:
        raise SpaceError(
            f"{name} is a closed-set system: its head was trained for {', '.join(trained)} and "
            f"cannot score {', '.join(space.labels)}. Use eea for other emotions."
        )


def require_all(name: str, wanted: tuple[str, ...], streams: Streams) -> None:
    """Refuse a batch in which a modality is absent, for anyone or for all, in words."""
    for stream in wanted:
        if stream not in streams:
            raise MissingStreamError(
                f"{name} needs {stream} for every utterance and got none; "
                "use eea, which takes whatever modalities are there."
            )
        absent = int((streams[stream].lengths == 0).sum())
        if absent:
            raise MissingStreamError(
                f"{name} needs {stream} for every utterance; {absent} of "
                f"{len(streams[stream].lengths)} in this batch have none. Leave them out, or use "
                "eea, which takes whatever modalities are there."
            )


def require_widths(name: str, wanted: tuple[str, ...], widths: Mapping[str, int]) -> None:
    """Refuse a corpus that lacks a modality this system is built for."""
    missing = [stream for stream in wanted if stream not in widths]
    if missing:
        raise MissingStreamError(
            f"{name} is asked to read {', '.join(missing)}, but the corpus has "
            f"{', '.join(widths) or 'no features'}; set system.streams accordingly."
        )


def require_single(name: str, space: EmotionSpace) -> None:
    """Refuse a space in which an utterance may have several emotions, or a number."""
    if space.task != "single":
        raise SpaceError(
            f"{name} chooses one emotion of several (task single); here the task is {space.task}: "
            "use eea or rnn."
        )


def require_transcripts(name: str, off: str, batch: Batch) -> Transcripts:
    """The batch's transcripts; refuse a batch without, in words.

    Args:
        off: the setting that does without them.
    """
    if batch.transcripts is None:
        raise DataError(
            f"{name} learns to transcribe, and the corpus has no transcripts; set system.{off}, "
            "or prepare a corpus with texts."
        )
    return batch.transcripts


def wanted_features(stream: str, settings: Backbone, width: int) -> dict[str, dict[str, Any]]:
    """A system's ``features`` for a stream of ``width`` values that its backbone is to read.

    A backbone that trains reads what its frozen front-end gave (speech), the samples themselves
    or token ids (both one value a step); without a path features of any other kind will do.

    Raises:
        UsageError: samples or token ids, and no backbone to read them.
    """
    if width == 1 and not (settings.path or settings.architecture):
        kind = "samples" if stream == "speech" else "token ids"
        raise UsageError(
            f"The {stream} of this corpus is {kind}, which a backbone must read: set "
            f"system.{stream}.path, or prepare the corpus with an encoder that gives features."
        )
    if stream == "speech" and width == 1:
        return {stream: {"name": "wave"}}
    if not settings.path:
        return {}
    if stream == "speech":
        given = {"path": settings.path, "layer": 0}
        return {stream: {"name": "speech-backbone", "parameters": given}}
    return {stream: {"name": "tokens", "parameters": {"path": settings.path}}}
