"""The published MMER command line (`sh best_run.sh`, `python main_mmer.py`) over moodal.

It takes the flags of the authors' README, trains one of their systems on five sessions in turn
by their own protocol (the best epoch on the held-out session, which every figure then says),
and writes what theirs wrote: ``{session}_model.pt``, ``{session}_stats.txt`` and
``metric_report.pkl``. With ``--honest`` the epoch is chosen on a training session instead.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core import manifest as manifests
from moodal.core.errors import DataError, UsageError
from moodal.core.manifest import MADE_UP, MARK, Manifest
from moodal.core.recipe import Recipe
from moodal.core.strict import parse
from moodal.corpora.iemocap import mmer_csv
from moodal.published.command import recipe_values

PUBLISHED = "facebook/wav2vec2-base"
EMBEDDED = "whisper-tiny"

SYSTEMS: dict[tuple[str, str], Mapping[str, Any]] = {
    ("mmer", "2022"): {"system.name": "mmer_2022", "system.alpha": 0.001},
    ("mmer", "2023"): {
        "system.name": "mmer",
        "system.lambda": 0.1,
        "train.lr": 5e-5,
        "data.views": "any",
    },
    ("cai_sota", ""): {"system.name": "cai_sota", "system.alpha": 0.1},
    ("unimodal_baseline", ""): {"system.name": "unimodal_baseline"},
}
"""(--run, --form) -> the recipe keys that this system sets, with the authors' values."""

KEYS = {
    "alpha": "system.alpha",
    "lambda_value": "system.lambda",
    "layers": "system.speech.layers",
    "epochs": "train.epochs",
    "learning_rate": "train.lr",
    "batch_size": "train.batch_size",
    "accum_grad": "train.accumulate",
    "seed": "train.seed",
    "device": "train.accelerator",
    "devices": "train.devices",
}
"""Flag -> the recipe key that it sets; the other flags are read below."""


def parser() -> argparse.ArgumentParser:
    """Make the parser of the authors' flags, with their defaults where they have any."""
    top = argparse.ArgumentParser(
        prog="main_mmer.py", description="MMER and its baselines on IEMOCAP, as published."
    )
    add = top.add_argument
    add("--data_path_audio", type=Path, required=True, help="folder of <FileName>.wav")
    add("--data_path_roberta", type=Path, help="folder of <FileName>.npy [1, L, 768]; mmer only")
    add("--csv_path", type=Path, required=True, help="iemocap.csv")
    add(
        *("--save_path", "--saving_path"),
        type=Path,
        default=Path(),
        help="folder for models, stats and reports (default: this one)",
    )
    add("--data_path_audio_augmented", type=Path, help="2023: re-synthesised speech")
    add("--data_path_roberta_augmented", type=Path, help="2023: back-translated texts' states")
    add(
        "--run",
        default="mmer",
        choices=("mmer", "cai_sota", "unimodal_baseline", "baseline"),
        help="which system; baseline is unimodal_baseline",
    )
    add("--form", default="2022", choices=("2022", "2023"), help="of mmer")
    add(
        "--alpha",
        type=float,
        help="weight of CTC; default 0.001 for mmer, 0.1 for cai_sota; of no effect elsewhere",
    )
    add("--lambda_value", type=float, help="2023: weight of the auxiliary losses; default 0.1")
    add("--epochs", type=int, default=100)
    add("--learning_rate", type=float, help="default 1e-5; 5e-5 in the 2023 form")
    add("--batch_size", type=int, default=2)
    add(
        *("--accum_grad", "--accum_iter"),
        type=int,
        default=4,
        help="batches whose gradients are added",
    )
    add(
        "--config",
        default="",
        help=f"speech backbone, a name or a folder; default {PUBLISHED}, or where that is not "
        f"available {EMBEDDED}, which a package of moodal contains (the reports say which); the "
        "authors' .yaml file is accepted, and its values are not used, as in their code",
    )
    add("--bert_config", help="accepted and not used: the sizes are those of the paper")
    add("--num_workers", type=int, help="accepted and not used: see --jobs")
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
    """Train, and write what the authors' code wrote.

    Raises:
        MoodalError: a user's mistake; main_mmer.py makes one sentence and an exit code of it.
    """
    from moodal.published import mmer_savings
    from moodal.train.experiment.train import train_recipe

    args = parser().parse_args(argv)
    if args.run == "mmer" and args.data_path_roberta is None:
        raise UsageError("mmer reads RoBERTa's states: give --data_path_roberta.")
    _require_used_weights(args)
    for unused in _unused(args):
        print(f"main_mmer.py: {unused}", file=sys.stderr, flush=True)
    backbone, notice = _backbone(_asked_backbone(args.config))
    if notice:
        print(f"main_mmer.py: {notice}", file=sys.stderr, flush=True)
    prepared = _prepare(args, backbone, notice)
    out = args.save_path / "run"
    recipe = recipe_of(args, backbone, prepared)
    train_recipe(recipe, out, jobs=args.jobs)
    # their code of 2022 wrote into a folder of the system, that of 2023 did not
    folder = args.save_path if args.form == "2023" else args.save_path / args.run
    for path in mmer_savings.write(folder, out, recipe):
        print(path)
    print(out / "report.md")


def _system(args: argparse.Namespace) -> Mapping[str, Any]:
    """Return the recipe keys that the chosen system sets."""
    name = "unimodal_baseline" if args.run == "baseline" else args.run
    return SYSTEMS[name, args.form if name == "mmer" else ""]


def _require_used_weights(args: argparse.Namespace) -> None:
    """Check that the chosen system has the loss weights that are given.

    Raises:
        UsageError: it has not.
    """
    system = _system(args)
    if args.alpha is not None and "system.lambda" in system:
        raise UsageError("--alpha is of no effect here: mmer of 2023 has --lambda_value.")
    if args.lambda_value is not None and "system.lambda" not in system:
        raise UsageError("--lambda_value is of mmer's form of 2023: add --form 2023, or leave it.")


def _unused(args: argparse.Namespace) -> list[str]:
    """List the flags that are given and change nothing, a sentence each, as in their code."""
    sentences = []
    if args.alpha is not None and args.run in ("unimodal_baseline", "baseline"):
        sentences.append("--alpha changes nothing: unimodal_baseline has no CTC.")
    if _is_yaml(args.config):
        sentences.append(f"no value of {args.config} is used, as in the authors' code.")
    if args.bert_config is not None:
        sentences.append("--bert_config changes nothing: the sizes are those of the paper.")
    return sentences


def _is_yaml(config: str) -> bool:
    return config.endswith((".yaml", ".yml"))


def _asked_backbone(config: str) -> str:
    """Return the speech backbone that --config names; the authors' own file names none.

    Raises:
        UsageError: a .yaml file is named and is not there.
    """
    if not _is_yaml(config):
        return config
    if not Path(config).is_file():
        raise UsageError(
            f"--config {config} is not there; name the authors' file, or a speech backbone."
        )
    return ""


def recipe_of(args: argparse.Namespace, backbone: str, prepared: Path) -> Recipe:
    """Build the recipe that the command stands for."""
    selection = "epoch chosen on a training session" if args.honest else "the authors' protocol"
    settings: dict[str, Any] = {
        "title": f"{args.run} on IEMOCAP with {backbone}",
        "about": f"python main_mmer.py --run {args.run}; {selection}.",
        "data.prepared": str(prepared),
        "data.trim_padding": False,
        "data.merges": {"excited": "happy"},
        "data.labels": list(mmer_csv.AUTHORS_ORDER),
        "split.by": "session",
        "system.speech.path": backbone,
        "system.mode": "faithful" if args.faithful else "corrected",
        "train.lr": 1e-5,
        "train.optimiser": "adamw",
        "train.loss": "ce",
        "train.clip": 0.0,
        "train.patience": 0,
        "train.early_stop": 0,
        "train.select": "balanced_accuracy",
        "train.select_on": "valid" if args.honest else "test",
        "report.by": ["style"],
        "report.words": True,
        **_system(args),
    }
    if args.honest:
        settings |= {"split.valid_by": "session", "split.valid_share": 0.2}
    if args.sessions:
        settings["split.only"] = _folds(manifests.read(prepared), args.sessions)
    flags = argparse.Namespace(**vars(args))
    if not {"system.alpha", "system.lambda"} & _system(args).keys():
        flags.alpha = None
    return parse(Recipe, recipe_values(flags, KEYS, settings), "main_mmer.py")


def _folds(manifest: Manifest, sessions: Sequence[int]) -> list[int]:
    """Return the numbers of the folds that hold out these sessions."""
    names = sorted({str(u.session) for u in manifest.utterances})
    asked = [f"Ses{number:02d}" for number in sessions]
    missing = [name for name in asked if name not in names]
    if missing:
        raise UsageError(f"--sessions: the csv has no {missing[0]}; it has {', '.join(names)}.")
    return [names.index(name) for name in asked]


def _backbone(asked: str) -> tuple[str, str]:
    """Choose the speech backbone; return it with a notice where it is not the published one."""
    from moodal.hub.fetch import fetch_named_backbones
    from moodal.train.backbones.locate import find

    if asked:
        fetch_named_backbones(asked)
        find(asked)
        return asked, ""
    try:
        find(PUBLISHED)
    except UsageError as error:
        return EMBEDDED, (
            f"{error} The backbone {EMBEDDED} is used instead: its figures are not "
            "those of the paper's backbone."
        )
    return PUBLISHED, ""


def _prepare(args: argparse.Namespace, backbone: str, notice: str) -> Path:
    """Prepare the corpus with the frames that the system reads, under the saving path."""
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
    notes = [*manifest.notes, *([notice] if notice else [])]
    if any((folder / MARK).exists() for folder in (args.csv_path.parent, args.data_path_audio)):
        notes.append(MADE_UP)
    manifest = dataclasses.replace(manifest, notes=tuple(notes))
    _require_complete(manifest)
    _folds(manifest, args.sessions)
    encoder = build("wave" if args.faithful else f"speech-backbone:path={backbone}", ENCODERS)
    out: Path = args.save_path / "prepared"
    if (out / "manifest.json").exists():
        earlier = manifests.read(out).encoders.get("speech", {})
        if earlier.get("fingerprint") != encoder.spec()["fingerprint"]:
            raise UsageError(
                f"{args.save_path} holds frames of {earlier.get('name')} with other settings; "
                "choose another --save_path, or delete that folder."
            )
    store = FeatureStore(args.save_path / "feature-store")
    manifest = encode_corpus(manifest, {"speech": encoder}, store, args.jobs)
    if _system(args).get("data.views"):
        # the authors' views where there are any, else one that is made here
        manifest = with_views(manifest, {"speech": encoder}, store, args.jobs, 1, args.seed)
    same = (out / "manifest.json").exists() and (
        manifests.read(out).fingerprint == manifest.fingerprint
    )
    if not same:
        manifest.write(out)
    return out


def _require_complete(manifest: Manifest) -> None:
    """Check, before hours of encoding, that every utterance can be trained on.

    Raises:
        DataError: some cannot; the message lists all reasons.
    """
    without_recording = [u.id for u in manifest.utterances if "speech" not in u.media]
    without_roberta = []
    if "text" in manifest.features:
        rows = np.flatnonzero(manifest.features["text"].lengths == 0)
        without_roberta = [manifest.utterances[row].id for row in rows]
    without_session = [u.id for u in manifest.utterances if u.session is None]
    reasons = [
        f"{len(ids)} {what} ({', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''})"
        for ids, what in (
            (without_recording, "have no recording"),
            (without_roberta, "have no RoBERTa array"),
            (without_session, "name no session"),
        )
        if ids
    ]
    if reasons:
        raise DataError(f"Of {len(manifest)} utterances {' and '.join(reasons)}; correct the csv.")
