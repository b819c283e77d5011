"""Recipes: TOML files read into strict, typed models, with ``key=value`` overrides.

The recipe of an experiment (`Recipe`) specifies a system, its training data and the protocol; that
of a fused artefact (`FusionRecipe`) its branches. Either may extend another recipe. An unknown key
or a value of another type is an error of one sentence.
"""

from __future__ import annotations

import operator
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from moodal.core.errors import UsageError
from moodal.core.files import load_toml
from moodal.core.fusion_recipe import FusionRecipe
from moodal.core.strict import SEEDS, Strict, parse
from moodal.core.votes import HardRule


class Data(Strict):
    """The training and test data."""

    prepared: str | list[str]
    """Folder written by `moodal prepare`, or several (`moodal.core.concatenation`)."""
    trim_padding: bool = True
    """Remove all-zero steps at both ends of a sequence; the papers keep them (false)."""
    standardise: bool = False
    """Scale each feature to mean 0 and standard deviation 1 on the training rows."""
    merges: dict[str, str] = Field(default_factory=dict)
    """Emotions merged into others, e.g. {"excited" = "happy"}."""
    labels: list[str] = Field(default_factory=list)
    """Only these emotions, in this order (default: the corpus's)."""
    targets: Literal["", "values", "both"] = Field(default="", exclude_if=operator.not_)
    """Learn the emotions of a corpus that has values next to them (""), the values instead
    ("values"), or "both" at once."""
    max_steps: int = Field(default=0, ge=0)
    """Largest number of steps of a sequence; the rest is cut off (0: no limit)."""
    where: dict[str, str] = Field(default_factory=dict)
    """Only utterances with these values in these columns, e.g. {style = "improvised"}."""
    views: Literal["none", "any", "given", "made"] = "none"
    """The second views that training may draw: those of the corpus ("given"), those from
    `moodal prepare --views` ("made"), or both ("any"). Each epoch draws one per utterance."""

    most: dict[str, int] = Field(default_factory=dict, exclude_if=operator.not_)
    """Corpus -> the most of its training rows of each language, drawn by ``train.seed``; "xed de"
    names one language of a corpus, and 0 leaves it out of training."""


class Space(Strict):
    """The source of the emotion words' vectors."""

    vectors: str = ""
    """"glove-50", "e5", "minilm", a file of vectors, or "" for a system that needs none."""
    capitalised: bool = False
    """Look words up capitalised, as the authors' --cap does."""
    synonyms: dict[str, list[str]] = Field(default_factory=dict)
    """label -> words whose vectors are averaged."""
    length: float = Field(default=0.0, ge=0)
    """Scale every vector to this length (0: no scaling). Sentence encoders give length 1, word
    vectors about 5; with longer vectors, smaller weights separate the emotions."""


class Split(Strict):
    """The division of the rows into training, validation and test."""

    by: str = "official"
    """"official", or the column whose groups are not divided: speaker, session, dialogue, ..."""
    folds: int = Field(default=0, ge=0)
    """Number of folds (0: one per group)."""
    only: list[int] = Field(default_factory=list)
    """Run only these folds, counted from 0."""
    valid_share: float = Field(default=0.15, gt=0, lt=1)
    """Share of the training rows for validation; whole groups are taken until it is reached."""
    seed: int = Field(default=0, ge=0, le=SEEDS)
    file: str = ""
    """A JSON file of test folds ({fold: [utterance ids]}) to use instead of computed folds, or the
    folder ``data`` of EmoBox with its lists."""
    valid_by: str = ""
    """The column whose groups validation does not divide ("": the same as ``by``)."""
    apart: str = ""
    """A column whose values are also held out, e.g. "script": for each value, the fold's test
    rows with it are scored by a model trained without any row of that value."""
    rest: str = Field(default="", exclude_if=operator.not_)
    """With ``by = "official"``: the column by whose groups corpora without an official split are
    divided, 14 of 16 groups for training and one each for validation and test, by a hash."""


class Protocol(Strict):
    """The protocol: which emotions occur in training."""

    name: Literal["supervised", "zero_shot", "few_shot"] = "supervised"
    unseen: list[str] = Field(default_factory=list)
    """The emotions held out of training (zero-shot) or limited to a few clips (few-shot)."""
    append_from: str = ""
    """Prepared folder whose rows of the unseen emotions are appended to the corpus (IEMOCAP)."""
    shots: int = Field(default=0, ge=0)
    """Training rows per unseen emotion (0: use share)."""
    share: float = Field(default=0.01, gt=0, le=1)
    """Share of the rows with an unseen emotion that are used for training."""
    shots_seed: int = Field(default=-1, ge=-1, le=SEEDS)
    """-1: the first such rows, as published; otherwise a random draw with this seed."""
    method: Literal["scratch", "finetune", "gem", "joint"] = "scratch"
    """scratch: train once, including the shots; the others continue from a zero-shot model."""
    margin: float = Field(default=0.01, ge=0)
    """GEM's margin (Lopez-Paz & Ranzato 2017)."""
    adapt_epochs: int = Field(default=10, ge=1)
    """Epochs of the second training, on the shots."""
    null_draws: int = Field(default=200, ge=0)
    """Words that replace an unseen one in turn, for the null distribution."""
    retrained_draws: int = Field(default=0, ge=0)
    """Models retrained with permuted vectors, for the stronger null distribution."""


class Votes(Strict):
    """The use of raters' votes, in a corpus whose labels are the shares of raters."""

    targets: Literal["shares", "plurality", "majority"] = Field(
        default="shares", exclude_if=lambda targets: targets == "shares"
    )
    """Learn the shares, or one emotion made of them: the one with the most votes, or the one with
    more than half. Rows that have none are left out of training."""
    truth: Literal["plurality", "majority"] = Field(
        default="plurality", exclude_if=lambda truth: truth == "plurality"
    )
    """The rule for the true emotion of tested rows. Rows without one count only in the metrics
    against shares."""
    ties: Literal["leave_out", "first", "draw"] = Field(
        default="leave_out", exclude_if=lambda ties: ties == "leave_out"
    )
    """Take none of the emotions with equally many votes, the first in the order of the labels, or
    one that is drawn by a hash of the utterance's id. A majority has no ties."""

    def rule(self, name: Literal["plurality", "majority"]) -> HardRule:
        """Return the rule of that name, with these ties."""
        return HardRule(name, self.ties)


class Train(Strict):
    """Settings of the training loop; the defaults are those of EEA's published commands."""

    epochs: int = Field(default=100, ge=1)
    batch_size: int = Field(default=64, ge=1)
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are added before one step."""
    max_frames: int = Field(default=0, ge=0)
    """Limit of longest sequence times rows in one computation (0: a whole batch). A step still
    has batch_size x accumulate rows, divided by length into pieces whose gradients are added."""
    lr: float = Field(default=1e-3, gt=0)
    backbone_lr: float = Field(default=0.0, ge=0)
    """Learning rate of a pre-trained backbone's parameters (0: the same as lr)."""
    backbone_start: float = Field(default=0.0, ge=0, lt=1, exclude_if=operator.not_)
    """Share of all steps during which a pre-trained backbone keeps its weights, so that the new
    layers fit first (Kumar et al., ICLR 2022). 0 is not written, so that older runs still match."""
    layer_decay: float = Field(default=1.0, gt=0, le=1, exclude_if=lambda decay: decay == 1)
    """The rate of each layer of a backbone is that of the layer above it times this; the top layer
    has ``backbone_lr`` (Howard & Ruder, ACL 2018). 1: all layers have one rate."""
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """Share of all steps during which the learning rate rises from 0."""
    decay: Literal["plateau", "linear"] = "plateau"
    """plateau: the learning rate falls according to ``patience``; linear: it falls from the end
    of the warm-up to 0 at the last step of all epochs, as usual in fine-tuning."""
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    weight_decay: float = Field(default=0.0, ge=0)
    loss: Literal["bce", "ce", "kl", "l1", "mse", "ccc"] = "bce"
    """bce, ce and kl are for emotions; on shares of raters ce is the soft cross-entropy, and kl
    (the Kullback-Leibler divergence) is ce less the entropy of the shares. l1, mse and ccc
    (1 - concordance correlation) are for values. l1 and mse divide errors by the range if the
    values' ranges differ; ccc is computed over the rows of one computation."""
    value_loss: Literal["l1", "mse", "ccc"] = Field(default="ccc", exclude_if="ccc".__eq__)
    """The loss of the values next to emotions (``data.targets`` = "both")."""
    value_weight: float = Field(default=1.0, gt=0, exclude_if=(1.0).__eq__)
    """How much the loss of the values counts next to that of the emotions."""
    weighted: bool = True
    """bce: weight positives by negatives/positives of the training rows."""
    shift_by: list[str] = Field(default_factory=list, exclude_if=operator.not_)
    """bce: columns, such as corpus and language, whose groups have other shares of each emotion:
    logits are moved by them in training alone (`moodal.train.data.label_shift`)."""
    weights: dict[str, float] = Field(default_factory=dict, exclude_if=operator.not_)
    """Corpus -> how much its training rows count (default: 1)."""
    clip: float = Field(default=1.0)
    """Largest gradient norm (0 or less: no clipping)."""
    patience: int = Field(default=5, ge=0)
    """Epochs without a lower validation loss before the learning rate falls tenfold (0: never)."""
    early_stop: int = Field(default=8, ge=0)
    """Epochs without a better average on validation before training stops (0: never)."""
    select: str = "weighted_accuracy"
    """The validation metric that chooses the epoch, "loss", or "last" (no choice)."""
    record: list[str] = Field(default_factory=list, exclude_if=operator.not_)
    """Further validation metrics that every epoch records, of each emotion or value."""
    select_on: Literal["valid", "test"] = "valid"
    """"test" is the protocol of some papers; results selected so are marked in the report."""
    seed: int = Field(default=0, ge=0, le=SEEDS)
    """The seed of the initial weights, the order of rows and all that is drawn. In a recipe it may
    be a list; then everything is trained with each of them (``seeds``)."""
    seeds: list[Annotated[int, Field(ge=0, le=SEEDS)]] = Field(
        default_factory=list, exclude_if=operator.not_
    )
    """All seeds, if there are several; ``seed`` is the first of them."""
    accelerator: str = "auto"
    devices: int = Field(default=1, ge=1)
    strategy: str = "auto"
    precision: str = "32-true"
    save_steps: int = Field(default=0, ge=0)
    """Steps between checkpoints within an epoch (0: only at the end of each epoch)."""

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, values: Any) -> Any:
        """Take a list of seeds as ``seeds``."""
        if not isinstance(values, dict) or not isinstance(values.get("seed"), list):
            return values
        seeds = values["seed"]
        if not seeds:
            raise ValueError("seed is a number or a list of numbers; the list is empty")
        if repeated := [s for i, s in enumerate(seeds) if s in seeds[:i]]:
            raise ValueError(f"seed names {repeated[0]} twice; each training needs its own")
        return {**values, "seed": seeds[0], "seeds": seeds if len(seeds) > 1 else []}


class Report(Strict):
    """The contents of the report."""

    draws: int = Field(default=1000, ge=0)
    """Bootstrap draws for the intervals."""
    thresholds: Literal["fixed", "validation"] = "validation"
    """Decide at the fixed threshold, or choose thresholds on validation (multi-label only)."""
    threshold: float = Field(default=0.5, ge=0, le=1)
    """The fixed threshold."""
    criterion: Literal["binary_f1", "balanced_accuracy", "expected_f1"] = "balanced_accuracy"
    """The metric that the validation thresholds maximise; "expected_f1" is the F1 that calibrated
    probabilities promise, which is less a matter of luck where an emotion is rare."""
    cosine: str = ""
    """The cosine baseline of zero-shot results: a text encoder ("minilm"), "features" (the mean
    of the text features, if they share a space with the emotion vectors), or "" (none)."""
    by: list[str] = Field(default_factory=list)
    """Columns by whose values results are also reported, e.g. ["style"] (scripted, improvised)."""
    words: bool = False
    """Also report a text baseline (TF-IDF, logistic regression), trained on the same rows; only
    for single-label corpora with texts."""
    figures: bool = True


class Recipe(Strict):
    """A complete experiment: data, emotions, split, protocol, system, training and report."""

    title: str
    about: str = ""
    """The row of a paper's table that this reproduces, or the purpose of the recipe."""
    data: Data
    space: Space = Space()
    split: Split = Split()
    protocol: Protocol = Protocol()
    system: dict[str, Any]
    """``name`` and that system's own keys; checked by the system."""
    votes: Votes = Field(default=Votes(), exclude_if=lambda votes: votes == Votes())
    train: Train = Train()
    report: Report = Report()


def read(path: Path | str, overrides: Sequence[str] = ()) -> Recipe | FusionRecipe:
    """Read a recipe file and apply ``section.key=value`` overrides (values are TOML).

    >>> apply({"train": {"lr": 0.1}}, ["train.lr=0.5", "system.name=eea"])
    {'train': {'lr': 0.5}, 'system': {'name': 'eea'}}

    Returns:
        The recipe of a fused artefact where there is a table ``parts``, else of an experiment.

    Raises:
        UsageError: the file is missing or not TOML, or contains a wrong key or value.
    """
    values = apply(_values(Path(path)), overrides)
    if "parts" in values:
        return parse(FusionRecipe, values, str(path))
    return parse(Recipe, values, str(path))


def load(path: Path | str, overrides: Sequence[str] = ()) -> Recipe:
    """Read the recipe of an experiment.

    Raises:
        UsageError: as `read`, or it is the recipe of a fused artefact.
    """
    values = apply(_values(Path(path)), overrides)
    if "parts" in values:
        raise UsageError(
            f"{path} is the recipe of a fused artefact, which has parts; `moodal compose` makes "
            "that, and `moodal train` takes the recipe of one part."
        )
    return parse(Recipe, values, str(path))


def load_fusion(path: Path | str, overrides: Sequence[str] = ()) -> FusionRecipe:
    """Read the recipe of a fused artefact.

    Raises:
        UsageError: as `read`, or it is the recipe of an experiment.
    """
    values = apply(_values(Path(path)), overrides)
    if "parts" not in values:
        raise UsageError(
            f"{path} has no parts, such as a table [parts.text], and is no recipe of a fused "
            "artefact; `moodal train` takes the recipe of an experiment."
        )
    return parse(FusionRecipe, values, str(path))


def _values(path: Path, extending: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a recipe's values, merged over those of the recipe that ``extends`` names."""
    try:
        values = load_toml(path)
    except FileNotFoundError:
        raise UsageError(
            f"There is no recipe {path}; the recipes of moodal are in recipes/."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Cannot read the recipe {path}: {error}.") from None
    except ValueError as error:
        raise UsageError(f"{path} is not TOML: {error}.") from None
    base = values.pop("extends", None)
    if base is None:
        return values
    if not isinstance(base, str) or path in extending:
        raise UsageError(f"{path}: extends must name another recipe, relative to this one.")
    return _merged(_values((path.parent / base).resolve(), (*extending, path)), values)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge ``over`` over ``base``, section by section."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def apply(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Set each ``a.b=value`` in ``values``; a value that is not TOML is taken as text."""
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise UsageError(f"Override {override!r} is not key=value, e.g. train.lr=1e-3.")
        section, *rest = key.strip().split(".")
        target = values
        for part in (section, *rest)[:-1]:
            target = target.setdefault(part, {})
            if not isinstance(target, dict):
                raise UsageError(f"Override {override!r}: {part!r} is a value, not a section.")
        target[(section, *rest)[-1]] = _value(text.strip())
    return values


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except (ValueError, RecursionError):
        return text
