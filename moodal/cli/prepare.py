"""The commands `prepare` and `synthesise`: read a corpus, or write a synthetic one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodal.cli.common import Arguments, pair, require_nothing_left_out, tell
from moodal.cli.engine import encoding_workers, engine_arguments, folder_for
from moodal.core.errors import UsageError

if TYPE_CHECKING:
    from moodal.modalities.encoder import Encoder


def prepare_arguments(parser: Arguments) -> None:
    """Add the arguments of `prepare`."""
    parser.add_argument("corpus", nargs="?", help="name of a corpus; --list shows all names")
    parser.add_argument("root", nargs="?", help="folder of the corpus (for `table`: the file)")
    parser.add_argument("out", nargs="?", help="folder for the prepared corpus")
    parser.add_argument("--list", action="store_true", help="list the corpora and exit")
    parser.add_argument(
        "--encoder",
        action="append",
        default=[],
        metavar="STREAM=SPEC",
        help="encoder of a stream, e.g. text=glove-50, speech=egemaps:rate=10, speech=none, or "
        "speech=files:path=FILE,width=768,rate=50 for features in files; may be repeated",
    )
    parser.add_argument(
        "--store", type=Path, help="folder that caches features (default: next to OUT)"
    )
    parser.add_argument("--jobs", type=int, help="parallel processes that compute features")
    engine_arguments(parser)
    parser.add_argument(
        "--views",
        type=int,
        default=0,
        metavar="N",
        help="store second views: those of the corpus, and N augmentations of each sound without "
        "any",
    )
    parser.add_argument(
        "--same-lines",
        type=float,
        default=0.0,
        metavar="COSINE",
        help="name rows whose texts say the same, in any language, by one value in the column "
        "`line`, for splits that keep them together; translations have a cosine of about 0.9",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="end with exit code 8 if anything was left out; the corpus is still written",
    )
    parser.add_argument(
        "--views-seed", type=int, default=0, metavar="S", help="seed of the augmentations"
    )


def prepare(args: argparse.Namespace) -> Any:
    """Prepare the corpus and return its findings, or list the corpora."""
    from moodal.features import prepare

    if args.list:
        return _corpora(args.json)
    if args.out is None:
        raise UsageError("prepare needs CORPUS ROOT OUT; `moodal prepare --list` lists corpora.")
    asked = dict(pair(text, "--encoder") for text in args.encoder)
    with folder_for(args) as out, encoding_workers(args) as jobs:
        manifest, findings = prepare.prepare(
            args.corpus,
            args.root,
            out,
            encoders={stream: _encoder(spec) for stream, spec in asked.items()},
            store=args.store,
            jobs=jobs,
            views=prepare.Augmentation(args.views, args.views_seed),
            same_lines=args.same_lines,
        )
    if not args.json:
        for table in prepare.findings_table(manifest, findings):
            tell(table)
        tell(f"Written to {args.out}; fingerprint {manifest.fingerprint}.")
    answer = prepare.as_json(manifest, findings)
    missing = [finding.detail for finding in prepare.left_out(findings)]
    require_nothing_left_out(args.strict, missing, answer)
    return answer


def _encoder(specification: str) -> str | Encoder:
    """Build an encoder that is not built in, since it may need PyTorch."""
    from moodal.corpora.own import spec
    from moodal.modalities import ENCODERS

    if specification.partition(":")[0].strip() in {"none", spec.NAME, *ENCODERS}:
        return specification
    from moodal.hub.fetch import fetch_named_backbones
    from moodal.modalities.build import build
    from moodal.train import encoders

    fetch_named_backbones(specification)
    return build(specification, encoders.ENCODERS)


def _corpora(as_json: bool) -> dict[str, str]:
    """Return each corpus with the first line of its reader's docstring, and print them."""
    from moodal.corpora import CORPORA

    about = {name: (read.__doc__ or "").partition("\n")[0] for name, read in CORPORA.items()}
    if not as_json:
        tell("\n".join(f"{name:16} {line}" for name, line in about.items()))
    return about


def synthesise_arguments(parser: Arguments) -> None:
    """Add the arguments of `synthesise`."""
    parser.add_argument("corpus", help="corpus whose file format is written, e.g. mosei")
    parser.add_argument("out", type=Path, help="folder for the files")
    parser.add_argument(
        "--utterances", type=int, default=600, metavar="N", help="number of utterances"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="random seed; equal seeds, equal files"
    )


def synthesise(args: argparse.Namespace) -> Any:
    """Write the synthetic corpus and return its name, folder and size."""
    from moodal.lookalikes import LOOKALIKES

    if args.corpus not in LOOKALIKES:
        raise UsageError(
            f"{args.corpus!r} cannot be synthesised; choose one of {', '.join(LOOKALIKES)}."
        )
    LOOKALIKES[args.corpus](args.out, args.utterances, args.seed)
    if not args.json:
        tell(f"Written to {args.out}: {args.utterances} synthetic utterances of {args.corpus}.")
    return {"corpus": args.corpus, "out": str(args.out), "utterances": args.utterances}
