"""The stages of a prediction, one after the other, for `benchmarks/predict.py`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, MissingDependencyError
from moodal.media.blocks import blocks
from moodal.media.probe import probe
from moodal.media.video import frames
from moodal.modalities.face.pixels import LONGEST, values
from moodal.modalities.face.quality import Follower, follow
from moodal.modalities.speech.segment import Span, joined, speech_spans
from moodal.modalities.speech.stretches import slices
from moodal.modalities.speech.transcribe import transcriber, words
from moodal.modalities.text.minilm import tokenizer
from moodal.model.answer import Answering
from moodal.model.observe import Source, gather
from moodal.model.predictor import Predictor, load

FPS = 5.0
RATE = 16_000
SENTENCES = ("We won, and I am so happy!", "How dare you touch that!", "I miss her so much.")
RUNS = {"text": "pieces", "speech": "sound", "face": "faces"}
"""Modality -> the method of `moodal.model.branches.Branch` that runs its network."""

Row = dict[str, float]
Inputs = dict[str, list[np.ndarray]]


def timed(work: Callable[[], Any], rounds: int = 1) -> tuple[Row, Any]:
    """Least seconds and CPU seconds of ``rounds``, and what the work gave."""
    times, works, gave = [], [], None
    for _ in range(rounds):
        started, used = time.perf_counter(), time.process_time()
        gave = work()
        times.append(time.perf_counter() - started)
        works.append(time.process_time() - used)
    return {"seconds": min(times), "cpu": min(works)}, gave


def stages(args: argparse.Namespace, folder: Path) -> tuple[dict[str, Row], Inputs, Predictor]:
    """Name -> seconds of each stage on the long film; the networks' inputs; the predictor."""
    found: dict[str, Row] = {}
    film = folder / "long.mp4"
    load(args.artefact, threads=args.threads)  # imports what is imported once
    found["read the artefact"], predictor = timed(lambda: load(args.artefact, threads=args.threads))
    found["probe"], _ = timed(lambda: probe(film), args.rounds)
    found["decode the sound"], heard = timed(lambda: list(blocks(film)))
    speech_spans(heard[:0])  # loads the detector
    found["find speech (VAD)"], spans = timed(lambda: speech_spans(heard))
    found["decode the pictures"], seen = timed(lambda: list(frames(film, FPS, longest=LONGEST)))
    found["find faces"], sighted = timed(lambda: list(follow(seen, Follower())))
    faces = [s.face for _, here in sighted for s in here]
    inputs: Inputs = {
        "text": _pieces(predictor) * max(1, round(args.seconds / 6)),
        "speech": [samples for _, samples in slices(heard, spans)],
        "face": [values(np.stack(faces))] if faces else [],
    }
    for stream, branch in predictor.branches.items():
        run, given = getattr(branch, RUNS[stream]), inputs[stream]
        if given:
            run(given[0])  # the session is made when it is first used
        found[f"{stream} graph"], _ = timed(lambda r=run, g=given: [r(x) for x in g], args.rounds)
    asked = predictor.ask(None)
    readers = predictor.readers(asked, list(predictor.branches))
    recording = gather(Source(film, asr=False, threads=args.threads), readers)
    found["fuse"], _ = timed(lambda: Answering(predictor, asked).timeline(recording), args.rounds)
    try:
        transcriber(args.threads)
    except MissingDependencyError:
        pass
    else:
        whole = [Span(spans[g[0]].start, spans[g[-1]].end) for g in joined(spans)]
        given = [samples for _, samples in slices(heard, whole)]
        found["transcribe (ASR)"], _ = timed(
            lambda: [words(samples, RATE, threads=args.threads) for samples in given]
        )
    for name, row in found.items():
        if name != "read the artefact":
            row["real_time"] = args.seconds / row["seconds"]
    return found, inputs, predictor


def _pieces(predictor: Predictor) -> list[np.ndarray]:
    if "text" not in predictor.branches:
        return []
    cut = tokenizer()
    return [np.array(cut.encode(sentence).ids, np.int64) for sentence in SENTENCES]


def beside_torch(args: argparse.Namespace, inputs: Inputs, predictor: Predictor) -> dict[str, Row]:
    """Modality -> seconds of ONNX Runtime and of PyTorch in turns, and how far their states are
    apart at most (graphs in 8 bits are further from their trainings than those in 32)."""
    try:
        import torch
    except ModuleNotFoundError:
        print("Not beside PyTorch: it is not installed.", file=sys.stderr)
        return {}
    from moodal.train.export.onnx import alone
    from moodal.train.fuse import recipe as fused

    torch.set_num_threads(args.threads)
    parts = fused.read(args.recipe).parts
    found: dict[str, Row] = {}
    for stream, branch in predictor.branches.items():
        try:
            system = _trained(stream, args.recipe.parent / parts[stream].recipe, args.torch)
        except (DataError, KeyError) as error:
            print(f"Not beside PyTorch, {stream}: {error}", file=sys.stderr)
            continue
        if not inputs[stream]:
            continue
        module = alone(system)[0]
        run, given = getattr(branch, RUNS[stream]), inputs[stream]

        def plain(module: Any = module, stream: str = stream, given: Any = given) -> Any:
            return [_in_torch(module, stream, x) for x in given]

        apart = max(
            float(np.abs(a - b).max()) for a, b in zip(plain(), map(run, given), strict=True)
        )
        onnx = [timed(lambda r=run, g=given: [r(x) for x in g])[0] for _ in range(args.rounds)]
        other = [timed(plain)[0] for _ in range(args.rounds)]
        fast, slow = (min(row["seconds"] for row in rows) for rows in (onnx, other))
        found[stream] = {"onnx": fast, "torch": slow, "ratio": slow / fast, "apart": apart}
    return found


def _in_torch(module: Any, stream: str, values: np.ndarray) -> np.ndarray:
    """The states [T, H] that a branch's module gives, as `Branch` cuts its input."""
    import torch

    from moodal.model.branches import TOGETHER, WINDOW

    with torch.inference_mode():
        if stream == "face":
            pieces = [values[i : i + TOGETHER] for i in range(0, len(values), TOGETHER)]
            states = [module(torch.from_numpy(p.astype(np.float32))) for p in pieces]
        else:
            n = max(1, -(-len(values) // WINDOW)) if stream == "speech" else 1
            states = [module(torch.from_numpy(p)[None])[0] for p in np.array_split(values, n)]
        return np.asarray(torch.cat(states).numpy())


def _trained(stream: str, recipe: Path, work: Path) -> Any:
    """A branch with the best weights of its training under ``work``.

    Raises:
        DataError: there is no training, or it is not of this recipe.
    """
    from moodal.core import recipe as config
    from moodal.core.emotions import EmotionSpace
    from moodal.train.engine import checkpoint
    from moodal.train.export.artefact import parse_system
    from moodal.train.systems import branch

    path = work / stream / "resume.pt"
    if not path.is_file():
        raise DataError(f"{path} is missing; name the --work of `moodal compose` with --torch.")
    weights = checkpoint.load(path)["state"]["best_weights"]
    _, settings = parse_system(config.load(recipe, []).system, str(recipe))
    width = {"text": 1, "speech": 1, "face": 2304}[stream]
    vectors = np.zeros((2, 384), np.float32)
    system = branch.build(settings, {stream: width}, EmotionSpace(["a", "b"], "single", vectors))
    try:
        system.load_state_dict(weights)
    except RuntimeError as error:
        raise DataError(f"{path} is not of {recipe}: {str(error).splitlines()[0]}") from None
    return system.eval()
