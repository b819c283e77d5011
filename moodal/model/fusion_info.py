"""The parameters of a fusion in an artefact.json, and the figures that were measured with them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from moodal.model.value_info import Bias, Count, Info, Name, Probability, Weight


class FusionFigures(Info):
    """The measured figures of one set of modalities on test rows.

    Attributes:
        made_up: whether the rows were combined from several corpora.
        ece: the calibration error.
        reliability: the mean probability, accuracy and number of rows of each bin.
        decided: the share of rows that are decided.
        decided_accuracy: the accuracy of decided rows; None without any.
    """

    made_up: bool
    rows: Count
    accuracy: Probability
    ece: Probability
    reliability: tuple[tuple[Probability, Probability, Count], ...]
    decided: Probability
    decided_accuracy: Probability | None


class FusionWeights(Info):
    """The weights by which one set of modalities is summed, see `moodal.model.fusion`.

    Attributes:
        weights: modality -> a.
        neutral: modality -> a for the word neutral.
        bias: basic emotion -> b.
        other: b of any other word.
        threshold: no emotion is decided where the highest probability is below it.
        measured: the figures of the set; None if not measured.
    """

    weights: dict[str, Weight]
    neutral: dict[str, Weight]
    bias: dict[str, Bias]
    other: Bias
    threshold: Probability
    measured: FusionFigures | None = None


class RegimeFigures(Info):
    """The figures of composed test utterances in which the same modalities tell.

    Attributes:
        present, telling: the modalities that are present, and those of them that tell.
        loss: the mean negative log likelihood.
        alone: modality -> the accuracy of its own answer.
    """

    present: tuple[str, ...]
    telling: tuple[str, ...]
    rows: Count
    accuracy: Probability
    ece: Probability
    loss: float
    alone: dict[str, Probability] = {}


class ChannelInfo(Info):
    """The parameters of the channel model, see `moodal.model.channel`.

    Attributes:
        sharpness, floor, expected, telling, certainty: as in `moodal.model.channel.Channel`.
        others: other word -> the logarithm of its prior odds against the basic emotions.
        other: the same for words that are not named.
        threshold: no emotion is decided where the highest probability is below it.
        trained: basic emotion -> its share in the trainings, the prior "training".
        measured: set of modalities -> the figures of composed test utterances.
        regimes: name -> the figures of each regime.
    """

    sharpness: dict[str, Weight]
    floor: dict[str, Annotated[float, Field(ge=0, lt=1)]]
    expected: dict[str, Bias]
    telling: dict[str, tuple[Probability, Probability]]
    certainty: dict[str, Weight] = {}
    others: dict[str, Bias] = {}
    other: Bias
    threshold: Probability
    trained: dict[str, Annotated[float, Field(gt=0, le=1)]]
    measured: dict[str, FusionFigures] = {}
    regimes: dict[str, RegimeFigures] = {}


class LevelInfo(Info):
    """The level of a channel of recordings, see `moodal.model.adapt_level`.

    Attributes:
        source: a name for the recordings that gave it.
        prior: the name of the prior that it presumes.
        strength: the part of the estimated shift that is taken off.
        utterances: modality -> the number of utterances that gave it.
        shifts: modality -> basic emotion -> what is added to the log likelihood ratio, in nats.
    """

    source: str = ""
    prior: Name
    strength: Probability
    utterances: dict[str, Count]
    shifts: dict[str, dict[str, Bias]] = Field(min_length=1)


class CorrectionInfo(Info):
    """The scales and offsets that corrections taught, see `moodal.model.corrected`.

    Attributes:
        source: a name for the corrections.
        prior: the name of the prior that they presume.
        corrections, recordings, annotators: their numbers.
        labels: basic emotion -> the number of corrections that say so.
        modalities: set of modalities -> the number of corrections of utterances with it.
        fitted: the parameters: "none" (the corrections did not help), "offsets", "one scale",
            "scales".
        width: the standard deviation of the offsets beforehand, in nats.
        before, after: the mean negative log likelihood of held-out corrections, in nats, without
            and with the parameters; cross-validated by recording, choices included.
        scales: basic emotion -> the factor of its log likelihood.
        offsets: basic emotion -> what is added to its log odds, in nats.
    """

    source: str = ""
    prior: Name
    corrections: Count
    recordings: Count
    annotators: Count
    labels: dict[str, Count]
    modalities: dict[str, Count]
    fitted: Literal["none", "offsets", "one scale", "scales"]
    width: Annotated[float, Field(gt=0, le=1000)]
    before: float
    after: float
    scales: dict[str, Annotated[float, Field(gt=0, le=1000)]]
    offsets: dict[str, Bias]
