"""Recipes: TOML files read into strict, typed models, with ``key=value`` overrides.

A recipe says what is trained on what and by which protocol; a key that does not
exist, or a value of another type, is refused in one sentence.
"""

from __future__ import annotations

import difflib
import tomllib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moodal.core.errors import UsageError

SEEDS = 2**31 - 1
"""The largest seed."""


class Strict(BaseModel):
    """A section of a recipe: no unknown keys, no silent conversions, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Data(Strict):
    """What is learned from."""

    prepared: str
    """Folder that `moodal prepare` wrote."""
    trim_padding: bool = True
    """Cut all-zero steps at both ends of a sequence; false is the papers' reading."""
    standardise: bool = False
    """Scale each value to mean 0, deviation 1 of the training rows."""
    merges: dict[str, str] = Field(default_factory=dict)
    """Emotions folded into others, e.g. {"excited" = "happy"}."""
    labels: list[str] = Field(default_factory=list)
    """Only these emotions, in this order (default: the corpus's)."""
    max_steps: int = Field(default=0, ge=0)
    """Longest sequence kept, in steps (0: all of it)."""
    where: dict[str, str] = Field(default_factory=dict)
    """Only utterances with these values in these columns, e.g. {style = "improvised"}."""
    views: Literal["none", "any", "given", "made"] = "none"
    """Which second views training may draw: those that came with the corpus, those that
    `moodal prepare --views` made, or any of them. Each epoch draws one per utterance."""


class Space(Strict):
    """Where the emotion words' vectors come from."""

    vectors: str = ""
    """"glove-50", "minilm", a file of vectors, or "" for a system that needs none."""
    capitalised: bool = False
    """Look words up capitalised, as the authors' --cap does."""
    synonyms: dict[str, list[str]] = Field(default_factory=dict)
    """label -> words whose vectors are averaged."""
    length: float = Field(default=0.0, ge=0)
    """Scale every vector to this length (0: as they are). Sentence encoders give length 1, word
    vectors about 5; the longer, the smaller the steps that tell emotions apart."""


class Split(Strict):
    """Which rows train, validate and test."""

    by: str = "official"
    """"official", or the column whose groups are kept whole: speaker, session, dialogue, ..."""
    folds: int = Field(default=0, ge=0)
    """Number of folds (0: one per group)."""
    only: list[int] = Field(default_factory=list)
    """Run only these folds, counted from 0."""
    valid_share: float = Field(default=0.15, gt=0, lt=1)
    """Share of the training rows that validates, in whole groups: groups are taken until it is
    reached."""
    seed: int = Field(default=0, ge=0, le=SEEDS)
    file: str = ""
    """A JSON file of test folds ({fold: [utterance ids]}) instead of folds made here."""
    valid_by: str = ""
    """The column whose groups validation keeps whole ("": the one of ``by``)."""
    apart: str = ""
    """A column whose values are held out too: each fold's test rows are tested value by value,
    by a training that has seen no row of that value, e.g. "script"."""


class Protocol(Strict):
    """Which emotions are seen in training."""

    name: Literal["supervised", "zero_shot", "few_shot"] = "supervised"
    unseen: list[str] = Field(default_factory=list)
    """The emotions held out (zero-shot) or shown in a few clips only (few-shot)."""
    append_from: str = ""
    """Prepared folder whose rows of the unseen emotions are appended to the corpus (IEMOCAP)."""
    shots: int = Field(default=0, ge=0)
    """Rows per unseen emotion that are shown (0: use share)."""
    share: float = Field(default=0.01, gt=0, le=1)
    """Share of the rows with an unseen emotion that is shown."""
    shots_seed: int = Field(default=-1, ge=-1, le=SEEDS)
    """-1: the first such rows, as published; otherwise a random draw of this seed."""
    method: Literal["scratch", "finetune", "gem", "joint"] = "scratch"
    """scratch: one training with the shots; the others continue a zero-shot model."""
    margin: float = Field(default=0.01, ge=0)
    """GEM's margin (Lopez-Paz & Ranzato 2017)."""
    adapt_epochs: int = Field(default=10, ge=1)
    """Epochs of the second training, on the shots."""
    null_draws: int = Field(default=200, ge=0)
    """Other words put in place of an unseen one, for the null distribution."""
    retrained_draws: int = Field(default=0, ge=0)
    """Models trained anew with permuted vectors, for the stronger null."""


class Train(Strict):
    """The loop's numbers; the defaults are those of EEA's published commands."""

    epochs: int = Field(default=100, ge=1)
    batch_size: int = Field(default=64, ge=1)
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are added before one step."""
    max_frames: int = Field(default=0, ge=0)
    """Longest sequence times rows of what is computed at once (0: a batch at once). The rows of
    one step stay batch_size x accumulate; they are parted by length into as many pieces as it
    takes, whose gradients are added."""
    lr: float = Field(default=1e-3, gt=0)
    backbone_lr: float = Field(default=0.0, ge=0)
    """Rate of a pre-trained backbone's parameters (0: the same as lr)."""
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """Share of all steps over which the rate rises from 0."""
    decay: Literal["plateau", "linear"] = "plateau"
    """plateau: the rate falls as ``patience`` says; linear: from the warm-up's end to 0 at the
    last step of all epochs, as pre-trained backbones are fine-tuned."""
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    weight_decay: float = Field(default=0.0, ge=0)
    loss: Literal["bce", "ce", "l1", "mse", "ccc"] = "bce"
    """bce and ce are for emotions; l1, mse and ccc (1 - concordance correlation) for values. Errors
    of l1 and mse count by their share of the range, where values have different ranges; ccc is of
    the rows that are computed at once."""
    weighted: bool = True
    """bce: weight positives by negatives/positives of the training rows."""
    clip: float = Field(default=1.0)
    """Largest gradient norm (0 or less: no clipping)."""
    patience: int = Field(default=5, ge=0)
    """Epochs without a lower validation loss before the rate falls tenfold (0: never)."""
    early_stop: int = Field(default=8, ge=0)
    """Epochs without a better validation average before stopping (0: never)."""
    select: str = "weighted_accuracy"
    """The validation metric that chooses the epoch, "loss", or "last" (no choice)."""
    select_on: Literal["valid", "test"] = "valid"
    """"test" is some papers' own protocol; every number it makes is stamped."""
    seed: int = Field(default=0, ge=0, le=SEEDS)
    accelerator: str = "auto"
    devices: int = Field(default=1, ge=1)
    strategy: str = "auto"
    precision: str = "32-true"
    save_steps: int = Field(default=0, ge=0)
    """Also save every so many steps, beside every epoch's end (0: epochs only)."""


class Report(Strict):
    """What the report holds."""

    draws: int = Field(default=1000, ge=0)
    """Bootstrap draws for the intervals."""
    thresholds: Literal["fixed", "validation"] = "validation"
    """Decide at 0.5, or where validation says (multi-label only)."""
    threshold: float = Field(default=0.5, ge=0, le=1)
    """The fixed one."""
    criterion: Literal["binary_f1", "balanced_accuracy"] = "balanced_accuracy"
    """What the validation thresholds are best at."""
    cosine: str = ""
    """The cosine baseline beside zero-shot results: a text encoder ("minilm"), "features" (the
    mean of the text features, where they are of the emotion vectors' kind), or "" (none)."""
    by: list[str] = Field(default_factory=list)
    """Columns whose values are also told apart, e.g. ["style"]: scripted and improvised turns."""
    words: bool = False
    """Beside the system: what the words alone tell (TF-IDF, logistic regression), trained on the
    same rows. Single-label corpora with texts only."""
    figures: bool = True


class Recipe(Strict):
    """One experiment, from end to end."""

    title: str
    about: str = ""
    """Which row of which table this is, or what it is for."""
    data: Data
    space: Space = Space()
    split: Split = Split()
    protocol: Protocol = Protocol()
    system: dict[str, Any]
    """``name`` and that system's own keys; checked by the system."""
    train: Train = Train()
    report: Report = Report()


Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model], values: Mapping[str, Any], where: str) -> Model:
    """``values`` as ``model``, or one sentence that names the key and the cure.

    Raises:
        UsageError: an unknown key, a missing key, a wrong type or range.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        if first["type"] == "extra_forbidden":
            known = _known(model, first["loc"])
            near = difflib.get_close_matches(str(first["loc"][-1]), known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}."
            raise UsageError(f"{where}: unknown key {key!r}{more}; {hint}") from None
        if first["type"] == "missing":
            raise UsageError(f"{where}: key {key!r} is missing{more}.") from None
        raise UsageError(
            f"{where}: {key} = {first['input']!r}: {first['msg'].lower()}{more}."
        ) from None


def load(path: Path | str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe file, with ``section.key=value`` overrides (values are TOML).

    >>> apply({"train": {"lr": 0.1}}, ["train.lr=0.5", "system.name=eea"])
    {'train': {'lr': 0.5}, 'system': {'name': 'eea'}}

    Raises:
        UsageError: the file is not there, is not TOML, or holds a wrong key or value.
    """
    path = Path(path)
    return parse(Recipe, apply(_read(path), overrides), str(path))


def _read(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """A recipe's values, laid over those of the recipe that its ``extends`` names."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"There is no recipe {path}; the ones that come along are in recipes/."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Cannot read the recipe {path}: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}.") from None
    base = values.pop("extends", None)
    if base is None:
        return values
    if not isinstance(base, str) or path in seen:
        raise UsageError(f"{path}: extends must name another recipe, relative to this one.")
    return _over(_read((path.parent / base).resolve(), (*seen, path)), values)


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """``above`` laid over ``below``, section by section."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _over(merged[key], value) if both else value
    return merged


def apply(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """``values`` with each ``a.b=value`` set; a value that is not TOML is taken as text."""
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
    except tomllib.TOMLDecodeError:
        return text


def _known(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys that would have been right at ``loc``."""
    for part in loc[:-1]:
        field = model.model_fields.get(str(part))
        annotation = field.annotation if field else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
        elif typing.get_origin(annotation):
            return []
    return list(model.model_fields)
