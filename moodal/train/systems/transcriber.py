"""Transcriber: a speech backbone with a CTC head, the auxiliary task of cai_sota and both MMERs.

Symbols: h [T, H] the backbone's last states of one utterance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import ClassVar, Literal, TypeVar

import torch
from torch import Tensor, nn

from moodal.core.emotions import Targets
from moodal.core.strict import Strict
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.speech import SpeechBackbone, build_speech, speech_features
from moodal.train.data.batch import Batch, Stream, Streams
from moodal.train.layers.ctc import ctc, greedy
from moodal.train.layers.losses import per_utterance
from moodal.train.systems.system import (
    Objective,
    System,
    require_all,
    require_single,
    require_transcripts,
    require_widths,
)


class TranscriberConfig(Strict):
    """The settings of every transcriber; ``mode`` "faithful" computes as the published code."""

    streams: ClassVar[tuple[str, ...]]
    mode: Literal["corrected", "faithful"] = "corrected"
    speech: Backbone = Backbone()
    """Without a path the features are used as they are."""


class Transcriber(System):
    """A system that chooses one emotion and can spell each utterance off its speech.

    A subclass creates ``speech`` and ``ctc``, in its own order of modules.
    """

    name: ClassVar[str]
    multitask = True
    heavy = True
    speech: SpeechBackbone
    ctc: nn.Linear

    @property
    def inputs(self) -> tuple[str, ...]:
        """The modalities that training shows it: its objective reads the text's letters, too."""
        if "text" in self.streams or not self.transcribes:
            return self.streams
        return (*self.streams, "text")

    def hear(self, stream: Stream) -> Stream:
        """Compute h [B, T', H]; in faithful mode every clip is as long as the longest."""
        h = Stream(*self.speech(*stream))
        if self.faithful:
            return Stream(h.values, torch.full_like(h.lengths, h.values.shape[1]))
        return h

    def ce_and_ctc(
        self, logits: Tensor, h: Stream, batch: Batch, weight: float, without: str
    ) -> Objective:
        """Compute CE + weight CTC of each utterance [B]; CE alone where it does not transcribe.

        Where values are learned, their loss takes the place of CE, or is added to it.

        Args:
            without: the setting that needs no transcripts, for the message.

        Raises:
            DataError: CTC is asked for and the corpus has no transcripts.
        """
        main = self.main_loss or partial(per_utterance, "ce")
        each = main(logits, batch.targets)
        parts = {"ce" if self.main_loss is None else "main": each.detach().mean()}
        if self.transcribes:
            transcripts = require_transcripts(self.name, without, batch)
            loss = ctc(self.ctc(h.values), h.lengths, transcripts)
            # as published, a mean of CE is added to a sum of CTC
            each = each + weight * (len(each) if self.faithful else 1) * loss.each
            parts |= {"ctc": loss.each.detach().mean(), "ctc_infinite": loss.infinite}
        return Objective(each, parts)

    def transcribe(self, streams: Streams) -> list[str]:
        """Read the words of each utterance off its speech: B texts."""
        require_all(self.name, ("speech",), streams)
        h = self.hear(streams["speech"])
        return greedy(self.ctc(h.values), h.lengths)

    def backbone_parameters(self) -> list[nn.Parameter]:
        """List the speech backbone's parameters that train."""
        return self.speech.trained_parameters()


Built = TypeVar("Built", bound=Transcriber)


def build_transcriber(
    make: Callable[[SpeechBackbone], Built],
    name: str,
    config: TranscriberConfig,
    widths: Mapping[str, int],
    space: Targets,
) -> Built:
    """Build the speech backbone of ``config``, and with it the system.

    Args:
        make: backbone -> system.
        name: of the system, for messages.

    Raises:
        MissingStreamError: the corpus lacks a modality of the system.
        SpaceError: an utterance may have several emotions.
        UsageError: the backbone is not installed, or none is named for a stream of samples.
    """
    require_widths(name, config.streams, widths)
    require_single(name, space)
    features = speech_features(config.speech, widths["speech"])
    faithful = config.mode == "faithful"
    speech = build_speech(config.speech, widths["speech"], faithful=faithful)
    system = make(speech)
    system.features = features
    system.portable = config.model_copy(update={"speech": speech.settings})
    return system
