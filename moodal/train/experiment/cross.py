"""Cross-corpus tests: train a recipe on each of several corpora, or on all but one; test on each.

OUT/cross.json, cross.md, cross.csv, cross.png   the matrix
OUT/trained/<corpus>/                             the run of each training, with its own test
OUT/tested/<corpus>/<model>/<other>/              the report of each model on another corpus
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.concatenation import JOINT, SEPARATOR
from moodal.core.errors import DataError, OutputError, UsageError
from moodal.core.files import holds_json, load_json, save_json
from moodal.core.manifest import Manifest
from moodal.core.recipe import Recipe
from moodal.evaluation.compare import SEEDS, read
from moodal.evaluation.cross import CorpusTest, metric_of, write_cross
from moodal.evaluation.report.measures import LINES
from moodal.evaluation.report.paired import Decided
from moodal.model.evaluate import evaluate
from moodal.model.options import EvaluateOptions
from moodal.model.scorer import ModelParts
from moodal.train.experiment.crossed_corpora import Corpus, common_labels, read_corpora
from moodal.train.experiment.train import make_plan, train_recipe


@dataclass(frozen=True)
class CrossOptions:
    """The options of a cross-corpus test.

    Attributes:
        maps: "theirs" or "corpus:theirs" -> the common label, besides the recipe's data.merges.
        leave_one_out: train on all corpora but one in place of each.
        lists: a JSON file of the rows to test, {corpus: [utterance ids]}; None: all rows of a
            corpus without an official test split.
        metric: that of the matrix; "": the first headline metric of the task.
        jobs: folds that are trained at once.
    """

    maps: Mapping[str, str]
    leave_one_out: bool = False
    lists: Path | None = None
    metric: str = ""
    jobs: int = 1


def cross(
    recipe: Recipe,
    folders: Sequence[Path | str],
    out: Path | str,
    *,
    load: Callable[[Path], ModelParts],
    options: CrossOptions,
) -> dict[str, Any]:
    """Train and test, or resume, and return the content of cross.json.

    Args:
        recipe: how each corpus is trained; its data.prepared is not used.
        folders: of two or more prepared corpora.
        out: the folder of the whole.
        load: reads an artefact, as `moodal.load` does.
        options: see `CrossOptions`.

    Raises:
        UsageError: the recipe or an option does not fit, or ``out`` holds something else.
        DataError: the corpora were not prepared alike, or two have the same name.
        SpaceError: they have no labels in common.
    """
    out = Path(out)
    _require(recipe, folders)
    corpora = read_corpora(recipe, folders, options.maps, options.lists)
    labels = common_labels(recipe, corpora)
    trainings = _trainings(recipe, corpora, labels, options.leave_one_out)
    if options.metric:
        metric_of(options.metric, LINES[corpora[0].manifest.space.task])
    _check_encoders(trainings, corpora)
    about = {
        "title": recipe.title,
        "leave_one_out": options.leave_one_out,
        "maps": {c.name: dict(c.maps) for c in corpora if c.maps},
        "corpora": {
            c.name: {"folder": str(c.folder), "fingerprint": c.manifest.fingerprint}
            for c in corpora
        },
        "recipe": recipe.model_dump(mode="json"),
        "lists": {c.name: sorted(c.listed) for c in corpora if c.listed is not None},
    }
    _claim(about, out)
    tests: list[CorpusTest] = []
    for name, (own, trained) in trainings.items():
        folder = out / "trained" / name
        try:
            train_recipe(trained, folder, jobs=options.jobs)
        except DataError as error:
            raise DataError(f"Training on {name}: {error}") from None
        for corpus in corpora:
            if corpus in own:
                tests.append(_own_test(name, corpus, folder, len(own) > 1))
            else:
                tests.append(_other_test(name, corpus, folder, out, labels, recipe, load))
    return write_cross(
        tests,
        out,
        about=about,
        metric=options.metric,
        draws=recipe.report.draws,
        seed=recipe.train.seed,
    )


def _require(recipe: Recipe, folders: Sequence[Path | str]) -> None:
    """Check what can be checked before the corpora are read."""
    if len(folders) < 2:
        raise UsageError("cross needs two or more corpora: --corpora FOLDER,FOLDER.")
    if recipe.protocol.name != "supervised":
        raise UsageError(
            f'cross trains on all emotions; set protocol.name = "supervised" in place of '
            f"{recipe.protocol.name!r}."
        )
    if recipe.train.select_on == "test":
        raise UsageError('cross chooses epochs on validation; set train.select_on = "valid".')
    if recipe.train.devices > 1:
        raise UsageError("cross trains on one device; set train.devices=1.")


def _trainings(
    recipe: Recipe, corpora: Sequence[Corpus], labels: Sequence[str], leave_one_out: bool
) -> dict[str, tuple[list[Corpus], Recipe]]:
    """Return the corpora and the recipe of each training, by its name.

    Raises:
        UsageError: corpora that are trained together map one label differently.
    """
    groups = (
        [[c for c in corpora if c is not left] for left in corpora]
        if leave_one_out
        else [[c] for c in corpora]
    )
    trainings = {}
    for own in groups:
        merges: dict[str, str] = {}
        for corpus in own:
            for label in corpus.manifest.space.labels:
                common = corpus.maps.get(label, label)
                if merges.setdefault(label, common) != common:
                    raise UsageError(
                        f"--map: {label} is {merges[label]} in one corpus and {common} in "
                        f"{corpus.name}; corpora that are trained together need one map."
                    )
        data = recipe.data.model_copy(
            update={
                "prepared": [str(c.folder) for c in own] if len(own) > 1 else str(own[0].folder),
                "merges": {label: common for label, common in merges.items() if label != common},
                "labels": list(labels),
            }
        )
        name = JOINT.join(c.name for c in own)
        title = f"{recipe.title}, trained on {name}"
        trainings[name] = (own, recipe.model_copy(update={"data": data, "title": title}))
    return trainings


def _check_encoders(
    trainings: Mapping[str, tuple[Sequence[Corpus], Recipe]], corpora: Sequence[Corpus]
) -> None:
    """Check every training, and that all corpora have the features that it reads.

    Raises:
        DataError: a corpus lacks a stream, or was prepared with another encoder.
    """
    for own, recipe in trainings.values():
        seeds = {"train": recipe.train.model_copy(update={"seeds": []})}
        for stream in make_plan(recipe.model_copy(update=seeds)).inputs:
            made = own[0].manifest.encoders.get(stream, {})
            for corpus in corpora:
                if stream not in corpus.manifest.features:
                    raise DataError(
                        f"{corpus.name} has no {stream} features, which the recipe's system "
                        f"reads; prepare {corpus.folder} with them."
                    )
                theirs = corpus.manifest.encoders.get(stream, {})
                if theirs.get("fingerprint") != made.get("fingerprint"):
                    raise DataError(
                        f"{own[0].name} and {corpus.name} were prepared with different {stream} "
                        f"encoders ({made.get('name', 'none')}, {theirs.get('name', 'none')}); "
                        "prepare both with the same --encoder."
                    )


def _claim(about: Mapping[str, Any], out: Path) -> None:
    """Write what is crossed into the folder, or check that it is the same.

    Raises:
        UsageError: ``out`` holds another cross-corpus test.
        OutputError: it holds something else.
    """
    path = out / "plan.json"
    if path.exists():
        if not holds_json(path, about):
            raise UsageError(
                f"{out} holds a cross-corpus test of another recipe, other corpora or other maps; "
                "choose another --out, or delete that folder."
            )
        return
    if out.is_dir() and any(not p.name.startswith(".") for p in out.iterdir()):
        raise OutputError(f"{out} is not empty and holds no cross-corpus test; choose another.")
    save_json(path, about)


def _own_test(name: str, corpus: Corpus, folder: Path, joined: bool) -> CorpusTest:
    """Return the test of a training on its own corpus, or on one of those that it joined."""
    run = read(folder, name)
    models = list(run.seeds)
    if joined:
        own = f"{corpus.name}{SEPARATOR}"
        models = [
            one.rows([i for i, row in enumerate(one.scored.ids) if row.startswith(own)])
            for one in models
        ]
    if not len(models[0].scored):
        raise DataError(f"{folder} tested no row of {corpus.name}; choose another split.")
    return CorpusTest(name, corpus.name, True, models, run.report["protocol"]["stamps"])


def _other_test(
    name: str,
    corpus: Corpus,
    folder: Path,
    out: Path,
    labels: Sequence[str],
    recipe: Recipe,
    load: Callable[[Path], ModelParts],
) -> CorpusTest:
    """Test every model of a training on a corpus that it was not trained on."""
    models: list[Decided] = []
    stamps: dict[str, None] = {}
    for part in _parts(folder):
        place = part.relative_to(folder).as_posix().replace("/", "-").replace(".", "model")
        report = out / "tested" / name / place / corpus.name
        if not (report / "report.json").exists():
            wanted = list(corpus.manifest.space.labels)
            asked = [x for x in wanted if corpus.maps.get(x, x) in labels]
            official = corpus.listed is None and recipe.split.by == "official"
            has_test = len(corpus.manifest.rows("test")) > 0
            options = EvaluateOptions(
                split="test" if official and has_test else "all",
                emotions=asked,
                names={x: y for x, y in corpus.maps.items() if x in asked},
                where=recipe.data.where,
                truth=recipe.votes.rule(recipe.votes.truth),
            )
            evaluate(load(part / "artefact"), _rows(corpus), report, options)
        tested = read(report, name)
        models.append(tested.tested)
        stamps |= dict.fromkeys(tested.report["protocol"]["stamps"])
    return CorpusTest(name, corpus.name, False, models, list(stamps))


def _rows(corpus: Corpus) -> Manifest:
    if corpus.listed is None:
        return corpus.manifest
    rows = [i for i, u in enumerate(corpus.manifest.utterances) if u.id in corpus.listed]
    return corpus.manifest.select(np.array(rows))


def _parts(folder: Path) -> list[Path]:
    """List the folders of a run's models: of each seed, and of each fold."""
    if (folder / SEEDS).exists():
        names = load_json(folder / SEEDS)["folders"]
        return [part for name in names for part in _parts(folder / name)]
    report = load_json(folder / "report.json")
    if "folds" not in report:
        return [folder]
    return [folder / fold["name"].replace(" ", "-") for fold in report["folds"]]
