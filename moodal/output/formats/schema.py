"""The JSON document moodal-timeline/1: its fields, units and ranges, checked by pydantic.

``python -m moodal.output.formats.schema`` prints the JSON Schema, which is also stored next to
this file as timeline.schema.json. Version 1 may gain fields, and readers ignore unknown fields;
the present fields are never removed and keep their meaning.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from moodal.core.face_action import BLENDSHAPES

NAME = "moodal-timeline/1"

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Nats = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Degrees = Annotated[float, Field(ge=-180, le=180)]
Dimension = Annotated[float, Field(ge=-1, le=1)]
ByEmotion = dict[str, Nats]
Base64Str = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]*={0,2}$")]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", populate_by_name=True)


class WordPart(_Part):
    """A word of an utterance."""

    text: str
    start: Seconds | None = Field(description="s in the recording; null for a word without times")
    end: Seconds | None = Field(description="s in the recording; null for a word without times")
    shares: ByEmotion = Field(description="emotion -> the word's part of the text's share, nats")


class MomentPart(_Part):
    """About a second of speech, or one face in one picture."""

    start: Seconds = Field(description="s in the recording")
    end: Seconds = Field(description="s in the recording")
    stream: str = Field(description="speech, face or another stream except text")
    shares: ByEmotion = Field(
        description="emotion -> the moment's part of the stream's share, nats"
    )


class ValuePart(_Part):
    """A value, such as valence, and its range."""

    name: Annotated[str, Field(min_length=1)]
    low: Number = Field(description="the lowest number that it can have")
    high: Number = Field(description="the highest")

    @model_validator(mode="after")
    def _ordered(self) -> ValuePart:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self


class DimensionsPart(_Part):
    """Valence, arousal and dominance of an utterance, or their means over a recording."""

    valence: Dimension = Field(description="from unpleasant to pleasant, -1 to 1")
    arousal: Dimension = Field(description="from calm to excited, -1 to 1")
    dominance: Dimension = Field(description="from controlled to in control, -1 to 1")
    known: Literal["learned", "mapped"] = Field(
        description="learned from ratings, or mapped from probabilities by published coordinates"
    )


class BoxPart(_Part):
    """The bounding box of a face's landmarks."""

    left: Number = Field(description="pixels of the file, which is turned upright")
    top: Number = Field(description="pixels of the file")
    width: Number = Field(description="pixels of the file")
    height: Number = Field(description="pixels of the file")


class PosePart(_Part):
    """The turn of a head."""

    yaw: Degrees = Field(description="degrees, positive to the right of the picture")
    pitch: Degrees = Field(description="degrees, positive up")
    roll: Degrees = Field(description="degrees, positive clockwise in the picture")


class GazePart(_Part):
    """The direction of both eyes together."""

    yaw: Degrees = Field(description="degrees, positive to the right of the picture")
    pitch: Degrees = Field(description="degrees, positive up")


class FaceActionPart(_Part):
    """The action of a face in one picture, or its mean over the pictures of a slice."""

    at: Seconds = Field(description="s in the recording; of a slice, its beginning")
    track: int = Field(description="number of the tracked face")
    box: BoxPart
    confidence: Share = Field(description="probability that the landmarks are of a face")
    pose: PosePart
    gaze: GazePart = Field(description="relative to the camera; 0 and 0 is into it")
    gaze_in_head: GazePart = Field(description="relative to the head; 0 and 0 is straight ahead")
    blink: Share = Field(description="mean closure of both eyes, derived; ignored by readers")
    mouth_opening: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        description="height of the gap between the lips by the width of an average mouth"
    )
    blendshapes: dict[str, Share] = Field(description="MediaPipe's 52 coefficients, by name")
    action_units: dict[str, Share] = Field(
        description="FACS action unit -> 0 to 1, derived; ignored by readers"
    )

    @model_validator(mode="after")
    def _complete(self) -> FaceActionPart:
        if missing := [name for name in BLENDSHAPES if name not in self.blendshapes]:
            raise ValueError(f"blendshapes lack {missing[0]}")
        return self


class UtterancePart(_Part):
    """The emotions, or the values, of one utterance."""

    id: str = Field(description="the recording's name, # and the utterance's number")
    start: Seconds | None = Field(description="s in the recording; null for a text")
    end: Seconds | None = Field(description="s in the recording; null for a text")
    track: int | None = Field(description="number of the tracked face; null without one")
    text: str | None = Field(description="the words; null if they are not known")
    speaker: str | None = Field(
        default=None,
        description="who speaks: a name of the subtitles or RTTM, speaker 2, or channel 2; several "
        "joined by a comma",
    )
    person: str | None = Field(
        default=None, description="whose emotions these are, where persons are told apart"
    )
    language: str | None = Field(
        default=None, description="the language of the words, as a BCP 47 tag such as de"
    )
    untrained: list[str] = Field(
        default=[], description="the streams that were used and not trained on that language"
    )
    decided: list[str] = Field(description="the decided emotion; empty if the model abstains")
    probabilities: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        description="emotion -> calibrated probability, 0 to 1; empty for a model of values"
    )
    logits: ByEmotion = Field(description="emotion -> shares + bias, nats")
    shares: dict[str, ByEmotion] = Field(
        description="stream -> emotion -> the stream's exact part of the logit, nats"
    )
    bias: ByEmotion = Field(
        description="emotion -> the part of the logit that comes from no stream, nats"
    )
    streams: list[str] = Field(
        description="the streams that were used: text, speech, face or another of `modalities`"
    )
    absent: dict[str, str] = Field(description="stream -> why it was not used")
    sources: dict[str, dict[str, Literal["learned", "adapted", "guess", "absent"]]] = Field(
        description="emotion -> stream -> how the stream knows the emotion"
    )
    quality: dict[str, dict[str, Number | None]] = Field(
        description="stream -> measure (with its unit in the name) -> value; null if undefined"
    )
    flags: list[str] = Field(description="remarks on this utterance, one sentence each")
    words: list[WordPart]
    moments: list[MomentPart]
    rest: dict[str, ByEmotion] = Field(
        description="stream -> emotion -> the share minus the parts of its words or moments, nats"
    )
    alone: dict[str, dict[str, Annotated[float, Field(ge=0, le=1)]]] = Field(
        default={},
        description="stream -> emotion -> probability from that stream alone, where several are",
    )
    values: dict[str, Number] = Field(
        default={}, description="value -> its number, within the range that the recording names"
    )
    slices: list[UtterancePart] = Field(
        default=[],
        description="the answers every `step` seconds, in the order of time; only where asked for",
    )
    dimensions: dict[str, DimensionsPart] = Field(
        default={},
        description="stream, or answer for the fused answer of several -> its dimensions",
    )
    headline: str = Field(
        default="", description="the key of dimensions that stands for the utterance"
    )
    intensity: dict[str, Share] = Field(
        default={}, description="stream -> how strong the expression is, 0 to 1"
    )
    face: list[FaceActionPart] = Field(
        default=[],
        description="what the face does in each picture, or once per slice; only where asked for",
    )


class DecidedMomentPart(_Part):
    """An utterance, or a slice of one, in which an emotion is decided."""

    id: str = Field(description="the utterance or slice")
    emotion: str = Field(description="the decided emotion")
    probability: Share = Field(description="its probability")
    start: Seconds | None = Field(description="s in the recording; null for a text")
    end: Seconds | None = Field(description="s in the recording; null for a text")


class ValueSummaryPart(_Part):
    """A value over a recording."""

    mean: Number = Field(description="mean, weighted by the utterances' seconds")
    lowest: Number = Field(description="the lowest number")
    lowest_id: str = Field(description="the first utterance that has it")
    lowest_start: Seconds | None = Field(description="its beginning in s; null for a text")
    highest: Number = Field(description="the highest number")
    highest_id: str = Field(description="the first utterance that has it")
    highest_start: Seconds | None = Field(description="its beginning in s; null for a text")


class SummaryPart(_Part):
    """The utterances of a recording, or of one person in it, taken together."""

    utterances: Annotated[int, Field(ge=0)] = Field(description="their number")
    seconds: Seconds | None = Field(description="the sum of their lengths in s; null for a text")
    probabilities: dict[str, Share] = Field(
        description="emotion -> mean probability, weighted by the utterances' seconds"
    )
    decided: dict[str, Share] = Field(
        description="emotion -> share of the utterances' time in which it is decided"
    )
    undecided: Share | None = Field(
        description="share of the time in which the model abstains; null where nothing is decided"
    )
    telling: list[DecidedMomentPart] = Field(
        description="up to three utterances with the most probable decided emotions but neutral"
    )
    first: list[DecidedMomentPart] = Field(
        description="for each decided emotion, the first utterance in which it is"
    )
    values: dict[str, ValueSummaryPart] = Field(
        default={}, description="value -> its mean and ends; only of a model of values"
    )
    dimensions: dict[str, DimensionsPart] = Field(
        default={},
        description="stream, or answer -> means, weighted by the utterances' seconds",
    )
    intensity: dict[str, Share] = Field(
        default={}, description="stream -> mean, weighted by the utterances' seconds"
    )
    changes: Annotated[int, Field(ge=0)] = Field(
        default=0, description="how often another emotion is decided than before"
    )
    track: int | None = Field(
        default=None, description="number of the tracked face; null for the whole recording"
    )
    person: str | None = Field(
        default=None, description="name of the person; null for the whole recording"
    )
    tracks: list[SummaryPart] = Field(
        default=[],
        description="a summary for each person, a speaker or a face, where there are several",
    )


class ModalityPart(_Part):
    """A stream as tables and figures show it."""

    name: str = Field(description="the name used in this document")
    label: str = Field(description="the name shown to readers")
    colour: str = Field(description="colour of its lines and bars, #rrggbb")
    mark: str = Field(description="one character that identifies it without colour")
    medium: str = Field(description="its medium: text, sound, pictures or table")


class RecordingPart(_Part):
    """One recording, or one text."""

    path: str = Field(
        description="path as passed by the user; - for standard input, empty for arrays"
    )
    kind: Literal["audio", "video", "image", "text", "subtitles"]
    duration: Seconds | None = Field(description="length in s; null for a text")
    emotions: list[str] = Field(description="the emotions that were asked for, in that order")
    absent: dict[str, str] = Field(description="stream -> why the whole recording lacks it")
    notes: list[str] = Field(description="remarks on the whole recording, one sentence each")
    artefact: dict[str, str] = Field(
        description="the model: its name, digest, and moodal's version"
    )
    language: str | None = Field(
        default=None, description="the language in which most is said, as a BCP 47 tag"
    )
    prior: str = Field(
        default="",
        description="name of the prior under which the probabilities hold; empty: of training",
    )
    step: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="length of the utterances' slices in s; null without slices"
    )
    modalities: list[ModalityPart] = Field(
        default=[], description="the streams other than text, speech and face"
    )
    values: list[ValuePart] = Field(
        default=[],
        description="the values that were asked for, in that order; empty for a model of emotions",
    )
    face_between: list[FaceActionPart] = Field(
        default=[],
        description="what the face does in pictures that belong to no utterance",
    )
    faceless: list[Seconds] = Field(
        default=[],
        description="s of the pictures without a face; only where actions were asked for",
    )
    waveform: Base64Str = Field(
        default="",
        description="the sound in equal spans: base64 of a signed byte each for the lowest and "
        "the highest sample of each span, in 1/127 of full scale; empty without sound",
    )
    face_places: Base64Str = Field(
        default="",
        description="where each face is in each picture: base64 of six little-endian float32 "
        "numbers each: s in the recording, track, and left, top, width and height as parts of the "
        "picture's width and height; empty without faces",
    )
    remarks: list[str] = Field(
        default=[],
        description="what a reader should know besides the figures, one sentence each, as the "
        "terminal says it; follows from the other fields, and is ignored by readers",
    )
    summary: SummaryPart | None = Field(
        default=None,
        description="the utterances taken together; follows from them, and is ignored by readers",
    )
    utterances: list[UtterancePart] = Field(description="the utterances in the order of time")


class UnitsPart(_Part):
    """Units of the document, equal in every document."""

    time: Literal["seconds"]
    shares: Literal["nats"]


class Document(_Part):
    """Emotions or values over time in one or several recordings."""

    schema_: Literal["moodal-timeline/1"] = Field(alias="schema")
    units: UnitsPart
    recordings: list[RecordingPart]


def json_schema() -> str:
    """Return the JSON Schema (draft 2020-12) of a document."""
    schema = Document.model_json_schema(by_alias=True)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": NAME,
    }
    return json.dumps(head | schema | head, indent=1) + "\n"


if __name__ == "__main__":
    print(json_schema(), end="")
