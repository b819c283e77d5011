"""The files that MMER's published code writes for each held-out session."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moodal.core.files import replacing
from moodal.core.recipe import Recipe
from moodal.published.command import best_epoch, write_pickle
from moodal.published.mmer_weights import to_authors
from moodal.train.engine import checkpoint
from moodal.train.experiment import assemble, results
from moodal.train.export import artefact


def write(folder: Path, run: Path, recipe: Recipe) -> Iterator[Path]:
    """Write ``{session}_model.pt``, ``{session}_stats.txt`` and ``metric_report.pkl``.

    The authors' ``wa`` is the mean recall of the classes (the field's UA) and their ``ua`` the
    accuracy (the field's WA): the files keep their names. In a line of the stats,
    ``key_accuracy`` is wa, ``selected_on`` says which rows chose the epoch ("test" in the authors'
    protocol), and ``rows`` whose figures the line has. The report is a list of {"wa", "ua"}, one
    per session.

    Args:
        folder: where they are written.
        run: the folder of the run, one folder in it per session.

    Yields:
        The path of each file, as it is written.
    """
    manifest = assemble.corpus(recipe)
    metrics: list[dict[str, float]] = []
    experiments = assemble.experiments(recipe, manifest)
    for experiment in experiments:
        session = _session(experiment.manifest.utterances[experiment.test[0]].session)
        fold = run / experiment.name.replace(" ", "-") if len(experiments) > 1 else run
        done = results.finished(fold)
        if done is None:
            continue
        system, _, _ = artefact.load(fold / "artefact")
        path = folder / f"{session}_model.pt"
        checkpoint.save(path, {"state_dict": to_authors(system)})
        yield path
        yield _write_stats(folder / f"{session}_stats.txt", done.report)
        measured = done.report["metrics"]
        wa, ua = (measured[key]["all"]["value"] for key in ("balanced_accuracy", "accuracy"))
        metrics.append({"wa": wa, "ua": ua})
    yield write_pickle(metrics, folder / "metric_report.pkl")


def _session(name: str | None) -> str:
    """Return a session's number as the authors' file names have it: Ses01 -> 1."""
    number = re.search(r"\d+", name or "")
    return str(int(number.group())) if number else str(name)


def _write_stats(path: Path, report: dict[str, Any]) -> Path:
    """Write a JSON line per epoch, and in each whether it is the best."""
    best = best_epoch(report)
    on_test = report["extras"]["recipe"]["train"]["select_on"] == "test"
    rows = "test" if on_test else "validation"
    with replacing(path) as part, open(part, "w", encoding="utf-8") as file:
        for row in report["extras"]["epochs"]:
            line = {
                "epoch": int(row["epoch"]),
                "key_accuracy": row["valid_balanced_accuracy"],
                "report_accuracy": {
                    "wa": row["valid_balanced_accuracy"],
                    "ua": row["valid_accuracy"],
                },
                "train_loss": row["train_loss"],
                "val_loss": row["valid_loss"],
                "lr": row["lr"],
                "seconds": row["seconds"],
                "best": row is best,
                "rows": rows,
                "selected_on": rows,
                **{k: v for k, v in row.items() if k.startswith("train_") and k != "train_loss"},
            }
            file.write(json.dumps(line) + "\n")
    return path
