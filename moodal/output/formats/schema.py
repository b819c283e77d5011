"""The JSON document moodal-timeline/1: its fields, units and ranges, checked by pydantic.

``python -m moodal.output.formats.schema`` prints the JSON Schema that lies beside this file
as timeline.schema.json. Fields may be added within version 1, and readers pass over those
that they do not know; what is here neither goes nor changes its meaning.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

NAME = "moodal-timeline/1"

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Nats = Annotated[float, Field(allow_inf_nan=False)]
ByEmotion = dict[str, Nats]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", populate_by_name=True)


class WordPart(_Part):
    """A word of an utterance."""

    text: str
    start: Seconds | None = Field(description="s in the recording; null where nothing times it")
    end: Seconds | None = Field(description="s in the recording; null where nothing times it")
    shares: ByEmotion = Field(description="emotion -> the word's part of the text's share, nats")


class MomentPart(_Part):
    """About a second of speech, or one seen face."""

    start: Seconds = Field(description="s in the recording")
    end: Seconds = Field(description="s in the recording")
    stream: str = Field(description="speech, face or another stream that is no text")
    shares: ByEmotion = Field(description="emotion -> its part of the stream's share, nats")


class UtterancePart(_Part):
    """The emotions of one utterance."""

    id: str = Field(description="the recording's name, # and the utterance's number")
    start: Seconds | None = Field(description="s in the recording; null for a text")
    end: Seconds | None = Field(description="s in the recording; null for a text")
    track: int | None = Field(description="number of the followed face; null without one")
    text: str | None = Field(description="what was said; null where nothing tells")
    decided: list[str] = Field(description="the decided emotion; empty where the model abstains")
    probabilities: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        description="emotion -> calibrated probability, 0 to 1"
    )
    logits: ByEmotion = Field(description="emotion -> shares + bias, nats")
    shares: dict[str, ByEmotion] = Field(
        description="stream -> emotion -> its exact part of the logit, nats"
    )
    bias: ByEmotion = Field(description="emotion -> the part that no stream brought, nats")
    streams: list[str] = Field(
        description="what was used: text, speech, face or another of `modalities`"
    )
    absent: dict[str, str] = Field(description="stream -> why it was not used")
    sources: dict[str, dict[str, Literal["learned", "adapted", "guess", "absent"]]] = Field(
        description="emotion -> stream -> how the stream knows it"
    )
    quality: dict[str, dict[str, Number | None]] = Field(
        description="stream -> measure, its unit in its name -> value; null where undefined"
    )
    flags: list[str] = Field(description="what a reader should know of this utterance")
    words: list[WordPart]
    moments: list[MomentPart]
    rest: dict[str, ByEmotion] = Field(
        description="stream -> emotion -> its share less its words' or moments' parts, nats"
    )


class ModalityPart(_Part):
    """What is shown of a stream."""

    name: str = Field(description="by which it goes in this document")
    label: str = Field(description="its name for people to read")
    colour: str = Field(description="of its lines and bars, #rrggbb")
    mark: str = Field(description="one character that tells it apart without colour")
    medium: str = Field(description="what it is read from: text, sound, pictures or table")


class RecordingPart(_Part):
    """One recording, or one text."""

    path: str = Field(description="as it was given; - for standard input, empty for arrays")
    kind: Literal["audio", "video", "image", "text", "subtitles"]
    duration: Seconds | None = Field(description="s; null for a text")
    emotions: list[str] = Field(description="that were asked for, in that order")
    absent: dict[str, str] = Field(description="stream -> why the whole recording lacks it")
    notes: list[str] = Field(description="what a reader should know of all of it")
    artefact: dict[str, str] = Field(description="what made it: name, digest, moodal's version")
    modalities: list[ModalityPart] = Field(
        default=[], description="the streams other than text, speech and face"
    )
    utterances: list[UtterancePart] = Field(description="in the order of their time")


class UnitsPart(_Part):
    """The same in every document."""

    time: Literal["seconds"]
    shares: Literal["nats"]


class Document(_Part):
    """Emotions over time, of one or several recordings."""

    schema_: Literal["moodal-timeline/1"] = Field(alias="schema")
    units: UnitsPart
    recordings: list[RecordingPart]


def json_schema() -> str:
    """The JSON Schema (draft 2020-12) of a document."""
    made = Document.model_json_schema(by_alias=True)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": NAME,
    }
    return json.dumps(head | made | head, indent=1) + "\n"


if __name__ == "__main__":
    print(json_schema(), end="")
