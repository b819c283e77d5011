"""Write the files of this folder: one small copy of everything that moodal keeps on disk.

They were written by commit 14fc59d and are to stay as they are: what reads them must go on
reading them. Run it at that commit only, from the repository's root::

    python tests/compatibility/make.py

Everything but the tiny networks and a checkpoint in the authors' layout is written by the
command line itself. The imports are inside the functions, so that a later commit, whose modules
have other names, can still import this file.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KEPT = ("README.md", "make.py", "test_readable.py", "recipes")
"""What is written by hand."""

WAV2VEC2 = {
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "conv_dim": [4] * 7,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}
TRAINED = {
    "prepared/sequences": (
        "eea",
        "eea-zero-shot",
        "rnn-lf",
        "rnn-ts",
        "rnn-eflf",
        "mult",
        "transformer",
    ),
    "prepared/frames": (
        "mmer-2022",
        "mmer-2023",
        "cai_sota",
        "unimodal_baseline",
        "unimodal_baseline-text",
    ),
}
"""Prepared folder -> the recipes that are trained on it."""

FOUR_EMOTIONS = ("--map", "excited=happy", "--emotions", "happy,angry,neutral,sad")
"""How the artefacts of `prepared/frames` are asked for the labels of their training."""


def moodal(*words: Any) -> Any:
    """Run one command of `moodal` with --json and return what it prints."""
    from moodal.cli import main as cli

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        cli.main([*map(str, words), "--json"])
    return json.loads(printed.getvalue())


def write_json(path: Path | str, value: Any) -> None:
    """Write a JSON file that a person can read and a diff can show."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_corpora() -> None:
    """Synthesise small corpora and prepare them: features, frames with views, and raw media."""
    corpora = {
        "sequences": ("mosei", 16),
        "frames": (
            "iemocap-release",
            24,
            "--encoder",
            "text=glove-50",
            "--views",
            1,
            "--encoder",
            "speech=speech-backbone:path=networks/wav2vec2",
        ),
        "text": ("goemotions", 12, "--encoder", "text=glove-50"),
        "clips": ("table", 12, "--encoder", "text=glove-50", "--encoder", "speech=egemaps:rate=2"),
        "films": ("meld", 12, "--encoder", "text=glove-50", "--encoder", "speech=egemaps:rate=2"),
        "augmented": (
            "mmer",
            12,
            "--encoder",
            "text=glove-50",
            "--encoder",
            "speech=egemaps:rate=2",
            "--views",
            1,
        ),
    }
    for name, (corpus, utterances, *encoders) in corpora.items():
        moodal("synthesise", corpus, f"raw/{name}", "--utterances", utterances, "--seed", 1)
        moodal("prepare", corpus, f"raw/{name}", f"prepared/{name}", "--store", "store", *encoders)


def write_networks() -> None:
    """Write a wav2vec 2.0 of the smallest size, with random weights, and vectors of words."""
    import numpy as np
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    Wav2Vec2Model(Wav2Vec2Config(**WAV2VEC2)).save_pretrained("networks/wav2vec2")
    rng = np.random.default_rng(0)
    words = ("anger", "disgust", "fear", "happy", "glad", "sad", "surprise", "calm", "table")
    lines = [" ".join([word, *(f"{x:.4f}" for x in rng.normal(size=8))]) for word in words]
    Path("vectors.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def train_artefacts() -> None:
    """Train each system one step, keep its artefact and its logits on the prepared rows."""
    for prepared, recipes in TRAINED.items():
        for recipe in recipes:
            moodal("train", f"recipes/{recipe}.toml", "--out", f"trained/{recipe}")
            shutil.copytree(f"trained/{recipe}/artefact", f"artefacts/{recipe}")
            words = FOUR_EMOTIONS if prepared.endswith("frames") else ()
            keep_logits(recipe, prepared, *words)


def keep_logits(artefact: str, prepared: str, *words: str) -> None:
    """Score every row of a prepared folder and keep the logits beside the artefact."""
    import numpy as np

    out = f"scored/{artefact}"
    argv = ["evaluate", f"artefacts/{artefact}", prepared, "--split", "all", *words, "--out"]
    report = moodal(*argv, out)
    with np.load(f"{out}/predictions.npz") as arrays:
        logits = arrays["logits"].astype(float).round(7).tolist()
    ids = json.loads(Path(out, "predictions.json").read_text(encoding="utf-8"))["ids"]
    expected = {
        "argv": argv,
        "labels": report["labels"],
        "logits": dict(zip(ids, logits, strict=True)),
    }
    write_json(f"logits/{artefact}.json", expected)


def import_checkpoints() -> None:
    """Write checkpoints in the layout of the authors' code, and import them."""
    import torch

    from moodal.core.emotions import EmotionSpace
    from moodal.published.eea_weights import PUBLISHED_WIDTHS, to_authors
    from moodal.train.systems import SYSTEMS

    labels = ("anger", "disgust", "fear", "happy", "sad", "surprise")
    torch.manual_seed(1)
    vectors = torch.randn(len(labels), 8).numpy()
    space = EmotionSpace(labels, vectors=vectors)
    hidden = {"text": 8, "speech": 4, "face": 4}
    entry = SYSTEMS["eea"]
    config = entry.Config(hidden=hidden, layers=1, last_column=True)
    Path("checkpoints").mkdir()
    torch.save(
        to_authors(entry.build(config, PUBLISHED_WIDTHS, space), space), "checkpoints/eea.pt"
    )
    entry, four = SYSTEMS["mmer"], ("happy", "angry", "neutral", "sad")
    sizes = {"model_type": "wav2vec2", **WAV2VEC2}
    config = entry.Config(form="2022", heads=2, inner=8, speech={"architecture": sizes})
    space = EmotionSpace(four, "single")
    system = entry.build(config, {"text": 8, "speech": 1}, space)
    torch.save({"state_dict": to_authors(system, space)}, "checkpoints/1_model.pt")
    for name, checkpoint, given, *more in (
        ("imported-eea", "eea.pt", labels),
        ("imported-mmer", "1_model.pt", four, "--heads", "2"),
    ):
        argv = ["import", f"checkpoints/{checkpoint}"]
        options = ["--labels", ",".join(given), *more]
        moodal(*argv, f"artefacts/{name}", *options)
        write_json(f"imports/{name}.json", {"argv": argv, "options": options})
    write_samples()
    keep_logits("imported-eea", "prepared/sequences")
    keep_logits("imported-mmer", "prepared/samples")


def write_samples() -> None:
    """Write a prepared folder of samples and text states, for the checkpoint that reads them."""
    import numpy as np

    from moodal.core.emotions import EmotionSpace
    from moodal.core.manifest import Manifest
    from moodal.core.records import Frames, Utterance
    from moodal.modalities.speech.samples import Wave

    rng = np.random.default_rng(2)
    speech = [rng.normal(size=(n, 1)) for n in (2400, 1600, 3000, 2000)]
    text = [rng.normal(size=(n, 8)) for n in (3, 5, 2, 4)]
    four = EmotionSpace(("happy", "angry", "neutral", "sad"), "single")
    Manifest(
        "made up",
        four,
        tuple(Utterance(f"clip {i}", speaker=f"s{i % 2}") for i in range(4)),
        np.eye(4, dtype=np.float32),
        {"text": Frames.from_list(text), "speech": Frames.from_list(speech, 16000.0)},
        {"text": {"name": "as-given", "fingerprint": "0", "width": 8}, "speech": Wave().spec()},
    ).write("prepared/samples")


def write_fused() -> None:
    """Write a fused artefact, one that `adapt` made of it, and what both predict."""
    tiny = load_tiny()
    tiny.write_tiny("artefacts/fused")
    clips = write_clips()
    moodal(
        "adapt", "relieved", *clips, "--artefact", "artefacts/fused", "--out", "artefacts/adapted"
    )
    for name in ("fused", "adapted"):
        options = ["--artefact", f"artefacts/{name}", "--no-asr", "--fps", "2"]
        emotions = ["--emotions", "happiness,anger,neutral,relieved,gratitude,bored"]
        asked = {
            "clip": ["predict", "{clip}", *options, *emotions],
            "basic": ["predict", "{clip}", *options, "--faces", "all"],
            "text": ["predict", "--text", "What a relief, thank you!", *options, *emotions],
        }
        for question, argv in asked.items():
            clip = HERE.parents[1] / "examples" / "clip.mp4"
            told = moodal(*(word.format(clip=clip) for word in argv))
            recording = told["recordings"][0]
            expected = {key: recording[key] for key in ("emotions", "kind", "duration")}
            expected["utterances"] = [
                {
                    key: u[key]
                    for key in (
                        "start",
                        "end",
                        "text",
                        "streams",
                        "sources",
                        "probabilities",
                        "dominant",
                    )
                    if key in u
                }
                for u in recording["utterances"]
            ]
            write_json(f"predictions/{name}-{question}.json", {"argv": argv, **expected})
        keep_logits(name, "prepared/text")


def load_tiny() -> Any:
    """Load tests/tiny.py, with a text branch of 512 rows instead of the whole vocabulary."""
    path = HERE.parent / "use" / "tiny.py"
    spec = importlib.util.spec_from_file_location("tiny", path)
    assert spec is not None
    assert spec.loader is not None
    tiny = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tiny)

    def text() -> bytes:
        """Map ids [1, T] to rows of a table of 512: the id modulo 512."""
        import numpy as np
        from onnx import helper

        table = np.random.default_rng(1).normal(size=(512, tiny.WIDTH)).astype(np.float32)
        nodes = [
            helper.make_node("Mod", ["ids", "rows"], ["short"]),
            helper.make_node("Gather", ["table", "short"], ["steps"], axis=0),
        ]
        inputs, shape = {"ids": (np.int64, [1, "T"])}, [1, "T", tiny.WIDTH]
        rows = np.array([512], np.int64)
        return bytes(tiny._model(nodes, inputs, shape, table=table, rows=rows))

    tiny._text = text
    return tiny


def write_clips() -> list[Path]:
    """Write examples of a word: texts, tones and pictures."""
    import numpy as np
    import soundfile
    from PIL import Image

    folder = Path("clips")
    folder.mkdir()
    (folder / "said.txt").write_text("Phew, that was close.\n\nAt last it is over.\n")
    rng = np.random.default_rng(3)
    seconds = np.arange(8000) / 16000
    for i in range(3):
        tone = 0.4 * np.sin(2 * np.pi * (480 + 20 * i) * seconds)
        soundfile.write(folder / f"{i}.wav", tone + rng.normal(0, 0.02, 8000), 16000)
        picture = rng.integers(0, 256, (48, 48), np.uint8)
        Image.fromarray(picture).save(folder / f"{i}.png")
    return sorted(folder.iterdir())


def write_runs() -> None:
    """Keep a finished run of two folds, one that was stopped, and what that one ends with."""
    moodal("train", "recipes/folds.toml", "--out", "runs/finished")
    moodal("train", "recipes/resumed.toml", "--out", "trained/whole")
    for name in ("report.json", "epochs.csv"):
        Path("expected").mkdir(exist_ok=True)
        shutil.copy(f"trained/whole/{name}", f"expected/{name}")
    report = moodal("train", "recipes/every-key.toml", "--out", "trained/every-key")
    write_json("expected/every-key.json", {key: report[key] for key in ("test", "metrics")})
    stop_after(2, 1, lambda: moodal("train", "recipes/resumed.toml", "--out", "runs/stopped"))
    shutil.rmtree("runs/stopped/tensorboard", ignore_errors=True)
    for path in Path("runs/finished").rglob("tensorboard"):
        shutil.rmtree(path)


def stop_after(epochs: int, steps: int, train: Callable[[], Any]) -> None:
    """Interrupt a training that keeps every step, after some steps of an epoch."""
    from moodal.train.engine import fit

    whole_step, per_epoch, done = fit.step, 3, 0

    def step(*given: Any) -> Any:
        nonlocal done
        if done == epochs * per_epoch + steps:
            raise KeyboardInterrupt
        done += 1
        return whole_step(*given)

    fit.step = step
    try:
        with contextlib.suppress(SystemExit):
            train()
    finally:
        fit.step = whole_step
    assert Path("runs/stopped/resume.pt").exists()


def write_expected() -> None:
    """Keep what `moodal inspect` says of prepared folders and recipes, and fingerprints."""
    from moodal.core import manifest

    for folder in sorted(Path("prepared").iterdir()):
        expected = {
            "fingerprint": manifest.read(folder).fingerprint,
            "inspected": moodal("inspect", folder),
        }
        write_json(f"expected/prepared/{folder.name}.json", expected)
    for path in sorted(Path("recipes").glob("*.toml")):
        if path.stem not in ("common", "sequences", "frames"):
            write_json(f"expected/recipes/{path.stem}.json", moodal("inspect", path))
    require_every_key(moodal("inspect", "recipes/every-key.toml"))
    require_every_kind_of_row()


def require_every_key(recipe: dict[str, Any]) -> None:
    """Check that the recipe that says so really names every key of every section."""
    import tomllib

    written = tomllib.loads(Path("recipes/every-key.toml").read_text(encoding="utf-8"))
    for section, values in recipe.items():
        if isinstance(values, dict):
            missing = values.keys() - written[section].keys()
            assert not missing, f"recipes/every-key.toml lacks {section}.{missing}"


def require_every_kind_of_row() -> None:
    """Check that spans, films, second views and columns of one corpus are among the rows."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for name in ("clips", "films", "augmented"):
        text = Path(f"prepared/{name}/utterances.jsonl").read_text(encoding="utf-8")
        rows[name] = [json.loads(line) for line in text.splitlines()]
    assert any(row["audio"]["start"] for row in rows["clips"])
    assert any("video" in row for row in rows["films"])
    for key in ("augmented_text", "augmented_audio", "extra", "session", "dialogue"):
        assert any(row.get(key) for row in rows["augmented"]), key
    views = moodal("inspect", "prepared/augmented")["views"]
    assert views["speech"]["count"] > views["text"]["count"] == 12
    [adapted] = json.loads(Path("predictions/adapted-text.json").read_text())["utterances"]
    assert adapted["sources"]["relieved"] == {"text": "adapted"}


def without_this_machine(folder: Path) -> None:
    """Replace the working folder in all texts: no path of this machine is to be kept."""
    place = str(folder.resolve())
    for path in folder.rglob("*"):
        if path.is_file() and place.encode() in path.read_bytes():
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace(place, "/data"), encoding="utf-8")


def main() -> None:
    """Write all of it in a folder of its own, then put it in the place of what was here."""
    with tempfile.TemporaryDirectory() as place:
        work = Path(place).resolve()
        shutil.copytree(HERE / "recipes", work / "recipes")
        os.chdir(work)
        for write in (
            write_networks,
            write_corpora,
            train_artefacts,
            import_checkpoints,
            write_fused,
            write_runs,
            write_expected,
        ):
            print(write.__name__, flush=True)
            write()
        for name in ("raw", "store", "trained", "scored", "clips", "networks"):
            shutil.rmtree(work / name)
        without_this_machine(work)
        for path in HERE.iterdir():
            if path.is_dir() and path.name not in KEPT:
                shutil.rmtree(path)
        shutil.copytree(work, HERE, dirs_exist_ok=True)
        os.chdir(HERE)


if __name__ == "__main__":
    main()
