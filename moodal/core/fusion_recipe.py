"""The recipe of a fused artefact: its parts, their fusion, and its heads."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from moodal.core.strict import SEEDS, Strict


class FusionPart(Strict):
    """One modality of a fused artefact: a branch to be trained, or a finished run."""

    run: str = ""
    """The folder of a finished run of `moodal train`, whose system is a branch or an EEA of this
    modality alone; "": the branch is trained by the keys below."""
    keep: str = ""
    """A fused artefact ("default": the one in the package) whose branch of this modality is kept
    as it is; the keys below then say how and on which rows it was trained."""
    recipe: str = ""
    """The recipe of its branch, relative to the recipe of the fused artefact."""
    probe: str = ""
    """A pre-trained network, such as "whisper-base", that keeps its weights: a linear classifier
    on it is fitted to the rows of the branch, and the evidence is the mean of both
    (`moodal.train.fuse.probe`)."""
    probe_layers: int = Field(default=0, ge=0)
    """The layers of that network that are used, counted from below (0: all)."""
    corpus: str = ""
    """The reader of its corpus, see `moodal prepare`."""
    root: str = ""
    """The folder of the corpus, relative to the folder of all corpora."""
    joined: dict[str, str] = Field(default_factory=dict)
    """Train the part on further corpora, too (`moodal.core.concatenation`): reader -> folder."""
    same_lines: dict[str, float] = Field(default_factory=dict)
    """Corpus -> the least cosine of texts that count as one line, which its split keeps together
    (`moodal prepare --same-lines`)."""
    telling: list[str] = Field(default_factory=list)
    """The joined corpora to whose rows the fusion is fitted, and on which it is measured ([]: all):
    those whose texts show, read alone, what their labels say."""
    language: str = ""
    """The language of rows whose corpus names none (BCP 47); "": none is meant, as of faces."""
    other_languages: float = Field(default=1.0, gt=0, le=1)
    """How much the evidence of a language counts on which the branch was not trained, as
    measured by leaving languages out."""
    encoder: str = ""
    """The encoder of its media ("": it came as features)."""
    bits: Literal[8, 32] = 32
    """8: the large weights of the graph are kept in 8 bits."""
    plain: str = ""
    """Further rows that tell nothing, for the channel model: of text the reader of a corpus whose
    neutral lines they are; of speech "espeak-ng", which reads out telling texts."""
    plain_root: str = ""
    """The folder of that corpus, relative to the folder of all corpora."""
    prefix: str = ""
    """Words that begin so are another corpus's names for the same rows, and tested separately."""
    base: str = ""
    """The pre-trained network that it is fine-tuned from, and its licence."""
    licence: str = ""
    """The licence of the corpus, for the model card; of a run by default that of its corpus."""

    @model_validator(mode="after")
    def _complete(self) -> FusionPart:
        needed = self.model_dump(include={"recipe", "corpus", "root", "licence"})
        lacking = [key for key, value in needed.items() if not value]
        if not self.run and lacking:
            raise ValueError(f"name a run, or {', '.join(lacking)}")
        own = (self.keep, self.recipe, self.probe, self.corpus, self.root, self.joined)
        if self.probe_layers and not self.probe:
            raise ValueError("probe_layers are those of a probe; name it")
        if self.run and (any(own) or self.encoder):
            raise ValueError("a run has its own recipe, corpus and encoder; leave them out")
        return self


class HeadPart(Strict):
    """A head that reads values from the features of a branch, see `moodal.model.heads`."""

    corpus: str
    """The reader of its corpus, which has a training, a validation and a test split; the reader of
    an intensity is that of its branch, whose split is taken."""
    root: str
    """The folder of the corpus, relative to the folder of all corpora."""
    licence: str
    """The licence of the corpus, for the model card and the file beside the head's weights."""
    column: str = ""
    """The column with the numbers of an intensity, from 0 to 100; dimensions need none."""


class FusionRecipe(Strict):
    """A fused artefact: the branches that are trained, and how they are fused."""

    name: str
    about: str
    """The purpose of the artefact, for the model card."""
    licence: str
    basics: list[str] = Field(min_length=2)
    """The emotions that every question compares with."""
    synonyms: dict[str, str] = Field(default_factory=dict)
    """Other name -> word; every answer that uses one says so."""
    fusion: Literal["sum", "channel"] = "sum"
    """How modalities are fused: by EEA's sum of evidence (`moodal.model.fusion`), or by the channel
    model (`moodal.model.channel`)."""
    sure: float = Field(default=0.5, gt=0, lt=1)
    """The calibrated probability from which the most probable emotion is decided."""
    seed: int = Field(default=0, ge=0, le=SEEDS)
    limits: list[str] = Field(default_factory=list)
    """Sentences of the model card on its limits, besides what is measured."""
    parts: dict[str, FusionPart] = Field(min_length=1)
    """Modality -> its branch."""
    dimensions: dict[str, HeadPart] = Field(default_factory=dict)
    """Modality -> the corpus of valence, arousal and dominance from which its head is learned."""
    intensity: dict[str, HeadPart] = Field(default_factory=dict)
    """Modality -> the corpus from which the head of its intensity is learned."""

    @model_validator(mode="after")
    def _heads_have_branches(self) -> FusionRecipe:
        for kind, heads in (("dimensions", self.dimensions), ("intensity", self.intensity)):
            if other := [m for m in heads if m not in self.parts]:
                raise ValueError(f"{kind} has {', '.join(other)}, which is not in parts")
            if len({head.corpus for head in heads.values()}) < len(heads):
                raise ValueError(f"the heads of {kind} need a corpus each, whose file they are")
        for modality, head in self.intensity.items():
            if not head.column:
                raise ValueError(f"intensity.{modality} lacks the column of its numbers")
            if self.parts[modality].corpus not in ("", head.corpus):
                raise ValueError(f"intensity.{modality} must be of the corpus of its part")
        return self

    @field_validator("basics")
    @classmethod
    def _has_neutral(cls, basics: list[str]) -> list[str]:
        if "neutral" not in basics:
            raise ValueError("name neutral, which has weights of its own")
        return basics
