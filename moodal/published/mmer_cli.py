"""The published MMER command line (`sh best_run.sh`, `python main_mmer.py`) over moodal.

Takes the flags of the authors' README, trains one of their three systems on five sessions
in turn by their own protocol (the best epoch on the held-out session, which every number then
says), and writes what theirs wrote: ``{session}_model.pt``, ``{session}_stats.txt`` and
``metric_report.pkl``. With ``--honest`` the epoch is chosen on a training session instead.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core import manifest as manifests
from moodal.core.errors import DataError, UsageError
from moodal.core.manifest import MADE_UP, MARK, Manifest
from moodal.core.recipe import Recipe, parse
from moodal.corpora.iemocap import mmer_csv

PUBLISHED = "facebook/wav2vec2-base"
EMBEDDED = "whisper-tiny"
RUNS = ("mmer", "cai_sota", "unimodal_baseline")


def parser() -> argparse.ArgumentParser:
    """The authors' flags, with their defaults where they have any."""
    top = argparse.ArgumentParser(
        prog="main_mmer.py", description="MMER and its baselines on IEMOCAP, as published."
    )
    add = top.add_argument
    add("--data_path_audio", type=Path, required=True, help="folder of <FileName>.wav")
    add("--data_path_roberta", type=Path, help="folder of <FileName>.npy [1, L, 768]; mmer only")
    add("--csv_path", type=Path, required=True, help="iemocap.csv")
    add("--saving_path", type=Path, required=True, help="folder for models, stats and reports")
    add("--data_path_audio_augmented", type=Path, help="2023: re-synthesised speech")
    add("--data_path_roberta_augmented", type=Path, help="2023: back-translated texts' states")
    add("--run", default="mmer", choices=RUNS, help="which system")
    add("--form", default="2022", choices=("2022", "2023"), help="of mmer")
    add("--alpha", type=float, help="weight of CTC; default 0.001 for mmer, 0.1 for cai_sota")
    add("--lambda_value", type=float, help="2023: weight of the auxiliary losses; default 0.1")
    add("--epochs", type=int, default=100)
    add("--learning_rate", type=float, help="default 1e-5; 5e-5 in the 2023 form")
    add("--batch_size", type=int, default=2)
    add("--accum_grad", type=int, default=4, help="batches whose gradients are added")
    add(
        "--config",
        default="",
        help=f"speech backbone, a name or a folder; default {PUBLISHED}, or where that is not "
        f"to be had {EMBEDDED}, which comes with moodal (the reports say which)",
    )
    add("--layers", type=int, default=0, help="transformer layers of it that are used (0: all)")
    add("--sessions", type=int, nargs="*", default=[], help="held out, e.g. 1 3 (default: each)")
    add("--seed", type=int, default=0)
    add("--jobs", type=int, default=1, help="processes that compute frames, and folds at once")
    add("--device", default="auto", help="auto, cpu or gpu; theirs wanted CUDA")
    add("--devices", type=int, default=1, help="of them; the rows of a batch are shared out")
    add("--faithful", action="store_true", help="fault by fault what their code computes")
    add("--honest", action="store_true", help="choose the epoch on a session of the training")
    return top


def main(argv: Sequence[str] | None = None) -> None:
    """Train, and write what the authors' code wrote."""
    args = parser().parse_args(argv)
    if args.run == "mmer" and args.data_path_roberta is None:
        raise UsageError("mmer reads RoBERTa's states: give --data_path_roberta.")
    _require_meant(args)
    from moodal.published import mmer_savings
    from moodal.train.experiment.train import train_recipe

    backbone, notice = _backbone(args.config)
    if notice:
        print(f"main_mmer.py: {notice}", file=sys.stderr, flush=True)
    prepared = _prepared(args, backbone, notice)
    out = args.saving_path / "run"
    recipe = recipe_of(args, backbone, prepared)
    train_recipe(recipe, out, jobs=args.jobs)
    for path in mmer_savings.write(args.saving_path, out, recipe):
        print(path)
    print(out / "report.md")


def _require_meant(args: argparse.Namespace) -> None:
    """Refuse a weight that this system has not."""
    late = args.run == "mmer" and args.form == "2023"
    if args.alpha is not None and (late or args.run == "unimodal_baseline"):
        what = "mmer of 2023 has --lambda_value" if late else "unimodal_baseline has no CTC"
        raise UsageError(f"--alpha is of no effect here: {what}.")
    if args.lambda_value is not None and not late:
        raise UsageError("--lambda_value is of mmer's form of 2023: add --form 2023, or leave it.")


def recipe_of(args: argparse.Namespace, backbone: str, prepared: Path) -> Recipe:
    """These arguments as a recipe."""
    late = args.run == "mmer" and args.form == "2023"
    system: dict[str, Any] = {
        "name": "mmer_2022" if args.run == "mmer" and not late else args.run,
        "speech": {"path": backbone, "layers": args.layers},
        "mode": "faithful" if args.faithful else "corrected",
    }
    if args.run == "cai_sota":
        system["alpha"] = 0.1 if args.alpha is None else args.alpha
    elif late:
        weight = 0.1 if args.lambda_value is None else args.lambda_value
        system["lambda"] = weight
    elif args.run == "mmer":
        system["alpha"] = 0.001 if args.alpha is None else args.alpha
    rate = (5e-5 if late else 1e-5) if args.learning_rate is None else args.learning_rate
    told = "epoch chosen on a training session" if args.honest else "the authors' protocol"
    split: dict[str, Any] = {"valid_by": "session", "valid_share": 0.2} if args.honest else {}
    if args.sessions:
        split["only"] = _numbers(manifests.read(prepared), args.sessions)
    values = {
        "title": f"{args.run} on IEMOCAP with {backbone}",
        "about": f"python main_mmer.py --run {args.run}; {told}.",
        "data": {
            "prepared": str(prepared),
            "trim_padding": False,
            "merges": {"excited": "happy"},
            "labels": list(mmer_csv.AUTHORS_ORDER),
            "views": "any" if late else "none",
        },
        "split": {"by": "session", **split},
        "system": system,
        "train": {
            "epochs": args.epochs,
            "batch_size": args.batch_size,
            "accumulate": args.accum_grad,
            "lr": rate,
            "optimiser": "adamw",
            "devices": args.devices,
            "loss": "ce",
            "clip": 0.0,
            "patience": 0,
            "early_stop": 0,
            "select": "balanced_accuracy",
            "select_on": "valid" if args.honest else "test",
            "seed": args.seed,
            "accelerator": args.device,
        },
        "report": {"by": ["style"], "words": True},
    }
    return parse(Recipe, values, "main_mmer.py")


def _numbers(manifest: Manifest, sessions: Sequence[int]) -> list[int]:
    """The folds that hold out these sessions."""
    there = sorted({str(u.session) for u in manifest.utterances})
    wanted = [f"Ses{number:02d}" for number in sessions]
    missing = [name for name in wanted if name not in there]
    if missing:
        raise UsageError(f"--sessions: the csv has no {missing[0]}; it has {', '.join(there)}.")
    return [there.index(name) for name in wanted]


def _backbone(asked: str) -> tuple[str, str]:
    """The speech backbone, and what to say where it is not the published one."""
    from moodal.train.backbones.locate import find

    if asked:
        find(asked)
        return asked, ""
    try:
        find(PUBLISHED)
    except UsageError as error:
        return EMBEDDED, (
            f"{error} Going on with {EMBEDDED}, which comes with moodal: its figures are not "
            "those of the paper's backbone."
        )
    return PUBLISHED, ""


def _prepared(args: argparse.Namespace, backbone: str, notice: str) -> Path:
    """The corpus with the frames that the system reads, kept under the saving path."""
    import dataclasses

    from moodal.features.encode import encode_corpus
    from moodal.features.store import FeatureStore
    from moodal.features.views.views import with_views
    from moodal.modalities.build import build
    from moodal.train.encoders import ENCODERS

    manifest = mmer_csv.read_parts(
        args.csv_path,
        args.data_path_audio,
        args.data_path_roberta if args.run == "mmer" else None,
        args.data_path_audio_augmented,
        args.data_path_roberta_augmented,
    )
    if notice:
        manifest = dataclasses.replace(manifest, notes=(*manifest.notes, notice))
    if any((place / MARK).exists() for place in (args.csv_path.parent, args.data_path_audio)):
        manifest = dataclasses.replace(manifest, notes=(*manifest.notes, MADE_UP))
    _require_sound(manifest)
    _numbers(manifest, args.sessions)
    spec = "wave" if args.faithful else f"speech-backbone:path={backbone}"
    encoder = build(spec, ENCODERS)
    out: Path = args.saving_path / "prepared"
    if (out / "manifest.json").exists():
        there = manifests.read(out).encoders.get("speech", {})
        if there.get("fingerprint") != encoder.spec()["fingerprint"]:
            raise UsageError(
                f"{args.saving_path} holds frames of {there.get('name')} with other settings; "
                "choose another --saving_path, or delete that folder."
            )
    store = FeatureStore(args.saving_path / "feature-store")
    manifest = encode_corpus(manifest, {"speech": encoder}, store, args.jobs)
    if args.run == "mmer" and args.form == "2023":
        # theirs where they are given, else one of ours
        manifest = with_views(manifest, {"speech": encoder}, store, args.jobs, 1, args.seed)
    if not (out / "manifest.json").exists() or _differs(manifests.read(out), manifest):
        manifest.write(out)
    return out


def _differs(there: Manifest, now: Manifest) -> bool:
    return there.fingerprint != now.fingerprint


def _require_sound(manifest: Manifest) -> None:
    """Refuse before hours of training what cannot be trained on, all of it in one sentence."""
    silent = [u.id for u in manifest.utterances if "speech" not in u.media]
    bare = []
    if "text" in manifest.features:
        none = np.flatnonzero(manifest.features["text"].lengths == 0)
        bare = [manifest.utterances[row].id for row in none]
    nowhere = [u.id for u in manifest.utterances if u.session is None]
    told = [
        f"{len(ids)} {what} ({', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''})"
        for ids, what in (
            (silent, "have no recording"),
            (bare, "have no RoBERTa array"),
            (nowhere, "tell no session"),
        )
        if ids
    ]
    if told:
        raise DataError(f"Of {len(manifest)} utterances {' and '.join(told)}; mend the csv.")
