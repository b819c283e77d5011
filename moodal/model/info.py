"""ArtefactInfo: the typed content of an artefact.json.

Format 2 is these classes as JSON. Format 1, which `moodal.model.format_1` describes, is read into
the same objects. The classes check types and ranges; `moodal.model.consistency` checks what several
keys and the tensors must agree on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from moodal.core.emotions import Task
from moodal.core.manifest import MADE_UP
from moodal.core.records import ModalityInfo
from moodal.core.version import __version__
from moodal.evaluation.report.artefact import ReportedArtefact
from moodal.modalities import MODALITIES
from moodal.modalities.infos import info_of
from moodal.model.fusion_info import ChannelInfo, CorrectionInfo, FusionWeights, LevelInfo
from moodal.model.value_info import (
    Count,
    HeadInfo,
    Info,
    Name,
    Probability,
    ValueInfo,
)

FORMAT = 2
"""The format that is written."""

Activation = Literal["sigmoid", "softmax", "identity"]
ACTIVATIONS: dict[str, Activation] = {
    "multi": "sigmoid",
    "single": "softmax",
    "regression": "identity",
}
"""Task -> how scores become the probabilities of reports and thresholds."""


class EncoderInfo(Info):
    """The encoder that turned media into frames.

    Attributes:
        name: its key in the table of encoders; "as-given" for frames that came in files.
        version: the version of the packages or weights that it computes with.
        width: the number of values per step.
        columns: the names of the values, if the corpus has them.
        fingerprint: a hash of all that its frames depend on; None if any version is accepted.
    """

    name: Name
    parameters: dict[str, JsonValue] = {}
    version: str = ""
    width: Annotated[int, Field(ge=1)]
    fingerprint: Name | None = None
    columns: tuple[str, ...] | None = None

    @classmethod
    def of(cls, spec: Mapping[str, Any], width: int) -> EncoderInfo:
        """Take an encoder from the specification that a manifest holds.

        Args:
            width: values per step, where the specification does not say.
        """
        known = {key: value for key, value in spec.items() if key in cls.model_fields}
        return cls.model_validate_json(json.dumps({"width": width, **known}))

    def spec(self) -> dict[str, Any]:
        """Return the JSON object from which `moodal.modalities.build.build` makes the encoder."""
        return self.model_dump(mode="json", exclude_none=True)


class WordInfo(Info):
    """The look-up of the vectors of emotion words; see `moodal.core.recipe.Space`."""

    capitalised: bool = False
    synonyms: dict[str, list[str]] = {}
    length: Annotated[float, Field(ge=0)] = 0.0


class ThresholdInfo(Info):
    """The probability above which each label is decided, and how it was chosen."""

    values: tuple[Probability, ...]
    source: str = ""


IMPORTED = "imported"
"""The name of the protocol of an authors' checkpoint."""


class ProtocolInfo(Info):
    """The protocol of the training.

    Attributes:
        name: "supervised", "zero_shot", "few_shot", "imported" or "fused".
        experiment: the name of the protocol's experiment, such as "fold Ses01".
        stamps: notes that must accompany every figure.
        checkpoint: the file that was imported.
        settings: the other keys of the recipe's [protocol].
    """

    name: str = ""
    experiment: str = ""
    stamps: tuple[str, ...] = ()
    checkpoint: str = ""
    settings: dict[str, JsonValue] = {}


class LabelCounts(Info):
    """The rows that trained, how many of them showed each emotion, and the mean of each value."""

    rows: Count
    counts: dict[str, Count] = {}
    means: dict[str, float] = {}


class BatchInfo(Info):
    """The size of the batches that are scored; see `moodal.train.engine.scoring.score`."""

    size: Annotated[int, Field(ge=1)]
    max_frames: Count = 0


class DataInfo(Info):
    """The corpus of the training and how its frames were read.

    Attributes:
        corpus: its name; of a fused artefact all names.
        fingerprint: of the prepared corpus.
        fingerprints: the same for each modality of a fused artefact.
        commit: the commit of the code that fused it.
        rows: "train", "valid" and "test" -> number of rows.
        trained: the labels of the training rows, where they are known.
        trim_padding, max_steps: see `moodal.core.recipe.Data`.
        scoring: the batch sizes of scoring (None: the default).
        notes: notes about the corpus.
        adapted: word -> modality -> the number of examples that `moodal adapt` used.
    """

    corpus: str = "unknown"
    fingerprint: str = ""
    fingerprints: dict[str, str] = {}
    commit: str = ""
    rows: dict[str, Count] = {}
    trained: LabelCounts | None = None
    trim_padding: bool = True
    max_steps: Count = 0
    scoring: BatchInfo | None = None
    notes: tuple[str, ...] = ()
    adapted: dict[str, dict[str, Count]] = {}


class GuessInfo(Info):
    """The quality of a branch's scores of words that it never learned.

    Attributes:
        weight: 1 if such scores are used together with better ones, else 0.
        auc: the mean AUC of learned words left out in turn; None if not measured.
        each: word -> its AUC.
    """

    weight: Probability
    auc: Probability | None = None
    each: dict[str, Probability] = {}


class AgreementInfo(Info):
    """The agreement of the exported graph with its network, see `moodal.train.fuse.agreement`."""

    rows: Count
    top: Probability
    largest: float
    mean: float


class GroupInfo(Info):
    """The figures on the test rows of a group of people, such as those under 30."""

    persons: Count
    rows: Count
    accuracy: Probability | None = None
    balanced_accuracy: Probability | None = None


class LanguageInfo(Info):
    """A language on which a branch was trained.

    Attributes:
        rows: the number of its training rows.
        weight: how much its evidence counts, as its validation rows say.
    """

    rows: Count
    weight: Probability = 1.0


class BranchInfo(Info):
    """One modality of a fused artefact.

    Attributes:
        graph: name of its ONNX file.
        learned: word -> its share of the training.
        adapted: words that `moodal adapt` added.
        guess: how well it scores words that it never learned.
        thresholds: word -> the probability above which the branch alone decides it.
        corpus, licence: the corpus of its training, and its licence.
        base: the pre-trained network that it was fine-tuned from.
        rows: "train", "valid" and "test" -> number of rows.
        test: the figures on its test rows.
        groups: column -> value -> the figures on the test rows of these people.
        languages: language (BCP 47) -> what is known of it; empty where none is stated.
        other_languages: how much the evidence of another language counts.
        graph_agrees: the agreement of the graph; None if not measured.
    """

    graph: Name
    learned: dict[str, Annotated[float, Field(gt=0, le=1)]] = Field(min_length=1)
    adapted: tuple[str, ...] = ()
    guess: GuessInfo
    thresholds: dict[str, Probability] = {}
    corpus: str = ""
    base: str = ""
    licence: str = ""
    rows: dict[str, Count] = {}
    test: dict[str, JsonValue] = {}
    groups: dict[str, dict[str, GroupInfo]] = {}
    languages: dict[str, LanguageInfo] = {}
    other_languages: Probability = 1.0
    graph_agrees: AgreementInfo | None = None


class FusedBody(Info):
    """A fused artefact: a branch per modality and the parameters of their fusion.

    Attributes:
        basics: the emotions that every question compares with.
        words: all words whose vectors the artefact carries.
        synonyms: other name -> word.
        fusion: set of modalities -> the weights of their sum, see `moodal.model.fusion`.
        channel: the parameters of the channel model, in place of ``fusion``.
        level: the level of the channel of recordings that it was adapted to.
        corrections: the scales and offsets that corrections taught.
        dimensions: modality -> the head of its valence, arousal and dominance.
        intensity: modality -> the head of its intensity.
    """

    kind: Literal["fused"] = "fused"
    name: Name
    basics: tuple[str, ...] = Field(min_length=2)
    words: tuple[str, ...] = Field(min_length=2)
    synonyms: dict[str, str] = {}
    branches: dict[str, BranchInfo] = Field(min_length=1)
    fusion: dict[str, FusionWeights] = {}
    channel: ChannelInfo | None = None
    level: LevelInfo | None = None
    corrections: CorrectionInfo | None = None
    dimensions: dict[str, HeadInfo] = {}
    intensity: dict[str, HeadInfo] = {}

    @property
    def heads(self) -> list[tuple[str, str, HeadInfo]]:
        """The heads: what each tells ("dimensions" or "intensity"), its modality, the head."""
        kinds = {"dimensions": self.dimensions, "intensity": self.intensity}
        return [(kind, m, head) for kind, heads in kinds.items() for m, head in heads.items()]

    @property
    def decides(self) -> dict[str, float]:
        """Set of modalities -> the probability from which the most probable emotion is decided."""
        if self.channel is not None:
            return dict.fromkeys(filter(None, self.channel.telling), self.channel.threshold)
        return {name: weights.threshold for name, weights in self.fusion.items()}


class SystemBody(Info):
    """A trained system: its key in `moodal.train.systems.SYSTEMS`, and its whole config."""

    kind: Literal["system"] = "system"
    name: Name
    config: dict[str, JsonValue]


class ArtefactInfo(Info):
    """The description of an artefact; docs/artefact.md explains each key.

    Attributes:
        format: the format of the artefact.json that was read.
        moodal: the version that wrote it.
        labels: the emotions, or the names of the values, in the order of the scores.
        values: the ranges of the values: of all labels, of the last ones where a system learned
            values next to emotions, or none.
        vectors: source of the emotion vectors, or None.
        widths: modality -> values per step.
        encoders: modality -> the encoder of the training's frames.
        readers: modality -> the encoder of its frames in prediction, if that differs.
        modalities: modality -> its label, colour and mark in tables and figures.
        trained: the labels that training showed.
        activation: how scores become the probabilities of reports and thresholds.
        calibration: the calibration of each set of modalities of a fused artefact.
        metrics: the first figures of the test.
        summary: the purpose of the artefact, for its card.
        limits: its known limits, apart from the measured figures.
        files: name -> sha256 of each other file of the folder.
        digest: sha256 of all the above.
    """

    format: int = FORMAT
    moodal: str = __version__
    labels: tuple[Name, ...] = Field(min_length=1)
    task: Task
    values: tuple[ValueInfo, ...] = ()
    vectors: str | None
    widths: dict[str, Annotated[int, Field(ge=1)]] = Field(min_length=1)
    encoders: dict[str, EncoderInfo]
    readers: dict[str, EncoderInfo] = {}
    modalities: dict[str, ModalityInfo] = {}
    trained: tuple[str, ...]
    words: WordInfo = WordInfo()
    activation: Activation
    thresholds: ThresholdInfo
    calibration: dict[str, JsonValue] | None = None
    protocol: ProtocolInfo
    metrics: dict[str, dict[str, JsonValue]]
    data: DataInfo
    licence: str
    summary: str = ""
    limits: tuple[str, ...] = ()
    body: FusedBody | SystemBody = Field(discriminator="kind")
    files: dict[str, str] = {}
    digest: str = ""

    @property
    def answered(self) -> tuple[str, ...]:
        """The labels of an answer without a question: the emotions, where there are values, too."""
        if self.task == "regression":
            return self.labels
        return self.labels[: len(self.labels) - len(self.values)]

    @property
    def kind(self) -> Literal["fused", "system"]:
        """The kind of the artefact, which decides its scorer."""
        return self.body.kind

    @property
    def name(self) -> str:
        """The name of the fused artefact or of the system."""
        return self.body.name

    @property
    def imported(self) -> bool:
        """Return whether it is a checkpoint of a paper's authors, read by `moodal import`."""
        return self.protocol.name == IMPORTED

    @property
    def made_up(self) -> bool:
        """Tell whether it was trained on made-up data, so that answers say nothing of people."""
        return MADE_UP in self.data.notes or MADE_UP[:-1] in self.protocol.stamps

    def modality(self, name: str) -> ModalityInfo:
        """Return the label, colour and mark of a modality."""
        return self.modalities.get(name) or info_of(name)

    def tested(self) -> ReportedArtefact:
        """Return the data about the artefact that a report needs."""
        known = self.data.trained
        return ReportedArtefact(
            name=self.name,
            weights=self.files["weights.safetensors"],
            thresholds=dict(zip(self.labels, self.thresholds.values, strict=True)),
            source=self.thresholds.source,
            trained=self.trained,
            rows=known.rows if known else None,
            counts=known.counts if known else {},
        )


def modality_infos(names: Iterable[str]) -> dict[str, ModalityInfo]:
    """Return the label, colour and mark of each modality that this moodal knows."""
    return {name: MODALITIES[name].info for name in names if name in MODALITIES}
