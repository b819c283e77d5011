"""The commands `prepare` and `synthesise`: read a corpus, or write a look-alike of one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moodal.cli.common import Arguments, pair, tell
from moodal.core.errors import UsageError


def prepare_arguments(parser: Arguments) -> None:
    parser.add_argument("corpus", nargs="?", help="a corpus name, of those that --list shows")
    parser.add_argument("root", nargs="?", type=Path, help="its folder (for `table`: its file)")
    parser.add_argument("out", nargs="?", type=Path, help="folder to write")
    parser.add_argument("--list", action="store_true", help="say which corpora there are")
    parser.add_argument(
        "--encoder",
        action="append",
        default=[],
        metavar="STREAM=SPEC",
        help="e.g. text=glove-50, speech=egemaps:rate=10, or speech=none; default per stream",
    )
    parser.add_argument("--store", type=Path, help="keeps features; default: a folder beside OUT")
    parser.add_argument("--jobs", type=int, default=1, help="processes that compute features")
    parser.add_argument(
        "--views",
        type=int,
        default=0,
        metavar="N",
        help="second views: those that the corpus brings, and N made of each sound without any",
    )
    parser.add_argument("--views-seed", type=int, default=0, metavar="S")


def prepare(args: argparse.Namespace) -> Any:
    from moodal.features import prepare

    if args.list:
        return _corpora(args.json)
    if args.out is None:
        raise UsageError("prepare wants CORPUS ROOT OUT; `moodal prepare --list` names corpora.")
    encoders = dict(pair(text, "--encoder") for text in args.encoder) or None
    manifest, findings = prepare.prepare(
        args.corpus,
        args.root,
        args.out,
        encoders=encoders,
        store=args.store,
        jobs=args.jobs,
        views=args.views,
        views_seed=args.views_seed,
        others=_other_encoders(encoders or {}),
    )
    if not args.json:
        for table in prepare.findings_table(manifest, findings):
            tell(table)
        tell(f"Written to {args.out}; fingerprint {manifest.fingerprint}.")
    return prepare.as_json(manifest, findings)


def _other_encoders(asked: Mapping[str, str]) -> Mapping[str, Any] | None:
    """The encoders that need PyTorch, where one is asked for that no light one is."""
    from moodal.modalities import ENCODERS

    if {spec.partition(":")[0].strip() for spec in asked.values()} <= {"none", *ENCODERS}:
        return None
    from moodal.train import encoders

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
        tell("\n".join(f"{name:16} {line}" for name, line in about.items()))
    return about


def synthesise_arguments(parser: Arguments) -> None:
    parser.add_argument("corpus", help="whose file format to write, e.g. mosei")
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--utterances", type=int, default=600, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="S")


def synthesise(args: argparse.Namespace) -> Any:
    from moodal.lookalikes.table import LOOKALIKES

    if args.corpus not in LOOKALIKES:
        raise UsageError(f"No look-alike of {args.corpus!r}; there are {', '.join(LOOKALIKES)}.")
    LOOKALIKES[args.corpus](args.out, args.utterances, args.seed)
    if not args.json:
        tell(f"A look-alike of {args.corpus} with {args.utterances} utterances is in {args.out}.")
    return {"corpus": args.corpus, "out": str(args.out), "utterances": args.utterances}
