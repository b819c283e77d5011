"""The table of protocols: functions from an experiment to an experiment, and what they need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from moodal.core.recipe import Protocol
from moodal.evaluation.protocols import few_shot, zero_shot
from moodal.evaluation.protocols.experiment import Experiment


@dataclass(frozen=True)
class ProtocolEntry:
    """A protocol and what it needs.

    Attributes:
        apply: changes the rows and emotions of an experiment as the recipe's [protocol] says; None
            changes nothing.
        needs_unseen: whether it needs ``protocol.unseen``, and so a corpus of emotions.
    """

    apply: Callable[[Experiment, Protocol], Experiment] | None = None
    needs_unseen: bool = False


PROTOCOLS: dict[str, ProtocolEntry] = {
    "supervised": ProtocolEntry(),
    "zero_shot": ProtocolEntry(zero_shot.apply, needs_unseen=True),
    "few_shot": ProtocolEntry(few_shot.apply, needs_unseen=True),
}
"""Name in a recipe -> protocol."""
