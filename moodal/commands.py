"""commands: what each command of `moodal` takes and does, a thin call into the library each.

Nothing heavy is imported before a command is run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moodal.errors import UsageError

Arguments = argparse.ArgumentParser


def prepare_arguments(parser: Arguments) -> None:
    parser.add_argument("corpus", nargs="?", help="a corpus name, of those that --list shows")
    parser.add_argument("root", nargs="?", type=Path, help="its folder (for `table`: its file)")
    parser.add_argument("out", nargs="?", type=Path, help="folder to write")
    parser.add_argument("--list", action="store_true", help="say which corpora there are")
    parser.add_argument(
        "--encoder", action="append", default=[], metavar="STREAM=SPEC",
        help='e.g. text=glove-50, speech=egemaps:rate=10, or speech=none; default per stream',
    )  # fmt: skip
    parser.add_argument("--store", type=Path, help="keeps features; default: a folder beside OUT")
    parser.add_argument("--jobs", type=int, default=1, help="processes that compute features")
    parser.add_argument(
        "--views", type=int, default=0, metavar="N",
        help="second views: all that the corpus brings, and N made where it brings none",
    )  # fmt: skip
    parser.add_argument("--views-seed", type=int, default=0, metavar="S")


def prepare(args: argparse.Namespace) -> Any:
    from moodal import prepare

    if args.list:
        return _corpora(args.json)
    if args.out is None:
        raise UsageError("prepare wants CORPUS ROOT OUT; `moodal prepare --list` names corpora.")
    encoders = dict(_pair(text, "--encoder") for text in args.encoder) or None
    manifest, findings = prepare.prepare(
        args.corpus, args.root, args.out, encoders=encoders, store=args.store, jobs=args.jobs,
        views=args.views, views_seed=args.views_seed, others=_other_encoders(encoders or {}),
    )  # fmt: skip
    if not args.json:
        for table in prepare.findings_table(manifest, findings):
            _print(table)
        _print(f"Written to {args.out}; fingerprint {manifest.fingerprint}.")
    return prepare.as_json(manifest, findings)


def _other_encoders(asked: Mapping[str, str]) -> Mapping[str, Any] | None:
    """The encoders that need PyTorch, where one is asked for that no light one is."""
    from moodal.encoders import ENCODERS

    if {spec.partition(":")[0].strip() for spec in asked.values()} <= {"none", *ENCODERS}:
        return None
    from moodal.learn import encoders

    return encoders.ENCODERS


def _corpora(as_json: bool) -> dict[str, str]:
    """Corpus -> the first line of its reader's file, which says what it is."""
    from moodal.corpora import CORPORA

    about = {
        name: (sys.modules[read.__module__].__doc__ or "").splitlines()[0]
        + " Unaligned." * name.endswith("-noalign")
        for name, read in CORPORA.items()
    }
    if not as_json:
        _print("\n".join(f"{name:16} {line}" for name, line in about.items()))
    return about


def synthesise_arguments(parser: Arguments) -> None:
    parser.add_argument("corpus", help="whose file format to write, e.g. mosei")
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--utterances", type=int, default=600, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="S")


def synthesise(args: argparse.Namespace) -> Any:
    from moodal.corpora.synthetic import LOOKALIKES

    if args.corpus not in LOOKALIKES:
        raise UsageError(f"No look-alike of {args.corpus!r}; there are {', '.join(LOOKALIKES)}.")
    LOOKALIKES[args.corpus](args.out, args.utterances, args.seed)
    if not args.json:
        _print(f"A look-alike of {args.corpus} with {args.utterances} utterances is in {args.out}.")
    return {"corpus": args.corpus, "out": str(args.out), "utterances": args.utterances}


def train_arguments(parser: Arguments) -> None:
    parser.add_argument("recipe", type=Path, help="a TOML file, e.g. recipes/mosei/eea.toml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="e.g. train.lr=1e-4")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; goes on there")
    parser.add_argument("--jobs", type=int, default=1, help="folds that are trained at once")


def train(args: argparse.Namespace) -> Any:
    from moodal.learn.run import run

    report = run(args.recipe, args.overrides, args.out, jobs=args.jobs)
    if report is not None and not args.json:
        _show_report(report)
        _print(f"Report: {args.out}/report.md")
    return report


def evaluate_arguments(parser: Arguments) -> None:
    parser.add_argument(
        "artefact", type=Path, help='its folder; "default": the one that comes along'
    )
    parser.add_argument(
        "prepared", metavar="CORPUS",
        help="folder that `moodal prepare` wrote; of a fused artefact also a table of raw "
        "recordings, texts or pictures, or a corpus's name with --root",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="folder for the report")
    parser.add_argument("--split", help='"train", "valid", "test", "all", "held-out"')
    parser.add_argument("--emotions", help="comma-separated; default: the corpus's")
    parser.add_argument(
        "--map", action="append", default=[], metavar="THEIRS=OURS",
        help="a corpus's name for an emotion that the artefact calls otherwise",
    )  # fmt: skip
    parser.add_argument("--vectors", help="word vectors for emotions that the artefact never saw")
    parser.add_argument(
        "--where", action="append", default=[], metavar="COLUMN=VALUE",
        help="only such rows, e.g. session=Ses05",
    )  # fmt: skip
    parser.add_argument(
        "--by", action="append", default=[], metavar="COLUMN",
        help="a column whose values the report tells apart, e.g. style",
    )  # fmt: skip
    raw = parser.add_argument_group("of a fused artefact, on raw recordings, texts or pictures")
    raw.add_argument("--root", type=Path, help="folder that the table's paths start from")
    raw.add_argument("--streams", help="modalities that may be used, e.g. speech")
    raw.add_argument("--jobs", type=int, default=1, help="processes that read")
    raw.add_argument("--asr", action="store_true", help="transcribe rows that have no text")
    raw.add_argument("--store", type=Path, help="keeps what was read; default: OUT.states")


def along(path: Path) -> Path:
    """The artefact that comes along, where it is meant by the name "default"."""
    from moodal.use.predictor import EMBEDDED

    return EMBEDDED if str(path) == "default" and not path.exists() else path


def evaluate(args: argparse.Namespace) -> Any:
    from moodal import artefact

    asked = {
        "emotions": [x.strip() for x in args.emotions.split(",")] if args.emotions else None,
        "names": dict(_pair(text, "--map") for text in args.map),
        "where": dict(_pair(text, "--where") for text in args.where),
        "by": args.by,
    }
    args.artefact = along(args.artefact)
    if artefact.read(args.artefact).about["system"]["name"] == "fused":
        report = _evaluate_raw(args, asked)
    else:
        from moodal.learn.evaluate import evaluate

        if args.root or args.streams or args.asr:
            raise UsageError("--root, --streams and --asr are for fused artefacts.")
        split = args.split or "test"
        report = evaluate(
            args.artefact, Path(args.prepared), args.out, split=split, vectors=args.vectors, **asked
        )
    if not args.json:
        _show_report(report)
        _print(f"Report: {args.out}/report.md")
    return report


def _evaluate_raw(args: argparse.Namespace, asked: dict[str, Any]) -> dict[str, Any]:
    from moodal.use.raw import evaluate_raw

    if args.vectors:
        raise UsageError("A fused artefact knows any word by its own vectors; leave --vectors out.")
    streams = [s.strip() for s in args.streams.split(",")] if args.streams else None
    return evaluate_raw(
        args.artefact, args.prepared, args.out, root=args.root, split=args.split, streams=streams,
        jobs=args.jobs, asr=args.asr, store=args.store, **asked,
    )  # fmt: skip


def import_arguments(parser: Arguments) -> None:
    parser.add_argument(
        "checkpoint", type=Path,
        help="the authors' savings/.../models/*.pt, or MMER's {session}_model.pt",
    )  # fmt: skip
    parser.add_argument("out", type=Path, help="folder of the artefact to write")
    parser.add_argument("--labels", required=True, help="comma-separated, in the trained order")
    parser.add_argument(
        "--task", choices=("multi", "single", "regression"),
        help="default: single for MMER's systems, else multi",
    )  # fmt: skip
    parser.add_argument("--modalities", help="of t, a, v; needed where the file cannot tell")
    parser.add_argument(
        "--widths", nargs=3, type=int, metavar=("TEXT", "SPEECH", "FACE"),
        help="values per step, for early fusion; default 300 74 35",
    )  # fmt: skip
    parser.add_argument(
        "--heads", type=int,
        help="of MulT (default 10; 8 for MOSEI sentiment), or of MMER's systems (default 12)",
    )  # fmt: skip


def import_(args: argparse.Namespace) -> Any:
    from moodal.learn.importing import import_checkpoint
    from moodal.types import STREAMS

    about = import_checkpoint(
        args.checkpoint, args.out, args.labels.split(","), args.task, args.modalities,
        widths=dict(zip(STREAMS, args.widths, strict=True)) if args.widths else None,
        heads=args.heads,
    )  # fmt: skip
    if not args.json:
        _print(f"{about['system']['name']} with {', '.join(about['labels'])} is in {args.out}.")
    return about


def inspect_arguments(parser: Arguments) -> None:
    parser.add_argument(
        "path",
        type=Path,
        help='artefact ("default": the one along), prepared folder, run, recipe, checkpoint',
    )


def inspect(args: argparse.Namespace) -> Any:
    from moodal.inspecting import brief, inspect

    found = inspect(along(args.path))
    if not args.json:
        _show_tree(brief(found) if found["kind"] == "artefact" else found)
    return found


def compare_arguments(parser: Arguments) -> None:
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="two or more runs")
    parser.add_argument("--out", type=Path, required=True, help="folder for the comparison")
    parser.add_argument("--draws", type=int, default=1000, help="of the bootstrap; 0: no intervals")
    parser.add_argument("--seed", type=int, default=0)


def compare(args: argparse.Namespace) -> Any:
    from moodal.comparing import compare
    from moodal.report import compared

    made = compare(args.runs, args.out, draws=args.draws, seed=args.seed)
    if not args.json:
        compared.show(made)
        _print(f"Written to {args.out}/compare.md")
    return made


def _pair(text: str, option: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or ("=" in value and option == "--map"):
        raise UsageError(f"{option} {text!r} is not NAME=VALUE; give {option} once for each pair.")
    return key, value


def _print(what: Any) -> None:
    """A sentence as it is, a table drawn: brackets in a path are no markup."""
    if isinstance(what, str):
        print(what)
        return
    from rich import print as rich_print

    rich_print(what)


def _show_report(report: dict[str, Any]) -> None:
    from moodal.report import tables

    tables.show(report)


def _show_tree(found: dict[str, Any]) -> None:
    from rich.pretty import pprint

    pprint(found, expand_all=len(found) > 20)
