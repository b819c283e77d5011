"""Reader: the network of a system that reads one stream, speech or text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field

from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.speech import SpeechBackbone, build_speech, speech_features
from moodal.train.backbones.text import TextBackbone, build_text, text_features
from moodal.train.systems.system import require_widths


def _one(streams: tuple[str, ...]) -> tuple[str, ...]:
    if len(streams) != 1:
        raise ValueError("name one stream, speech or text")
    return streams


OneStream = Annotated[
    tuple[Literal["speech", "text"], ...], Field(strict=False), AfterValidator(_one)
]
"""A system's ``streams``: speech or text; in TOML a list of one."""


class Reader(NamedTuple):
    """A backbone that reads a modality, and the encoder that it needs, see `System.features`."""

    features: dict[str, dict[str, Any]]
    backbone: SpeechBackbone | TextBackbone


def build_reader(
    name: str,
    stream: str,
    settings: Backbone,
    widths: Mapping[str, int],
    *,
    faithful: bool = False,
) -> Reader:
    """Build the backbone of a system's one stream.

    Args:
        name: of the system, for messages.
        widths: of a corpus's streams (stream -> D).
        faithful: see `moodal.train.backbones.speech.build_speech`.

    Raises:
        MissingStreamError: the corpus lacks the stream.
        UsageError: the backbone is not installed, or none is named for samples or token ids.
    """
    width = require_widths(name, (stream,), widths)[stream]
    if stream == "text":
        return Reader(text_features(settings, width), build_text(settings, width))
    features = speech_features(settings, width)
    return Reader(features, build_speech(settings, width, faithful=faithful))
