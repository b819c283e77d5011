"""The stages of a prediction, one after the other, for `benchmarks/predict.py`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import moodal
from moodal.core.errors import DataError, MissingDependencyError
from moodal.core.records import RATE, Frames
from moodal.media.blocks import blocks
from moodal.media.probe import probe
from moodal.media.recording import Recording, opened
from moodal.media.video import Picture, frames
from moodal.modalities import MODALITIES
from moodal.modalities.face.pixels import LONGEST
from moodal.modalities.face.track import Follower
from moodal.modalities.modality import Settings
from moodal.modalities.speech.segment import Span, speech_spans
from moodal.modalities.speech.transcribe import Transcript, transcriber, transcript
from moodal.model.absences import Absences
from moodal.model.branches import INPUTS
from moodal.model.model import Model
from moodal.model.observation import Observation
from moodal.model.observe import observe
from moodal.model.options import PredictOptions
from moodal.model.segmentation import Buffer, Segment
from moodal.model.transcription import Transcription

FPS = 5.0
SENTENCES = ("We won, and I am so happy!", "How dare you touch that!", "I miss her so much.")
WIDTHS = {"text": 1, "speech": 1, "face": 2304}
"""Modality -> values of a step of what its branch reads."""

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


def stages(args: argparse.Namespace, folder: Path) -> tuple[dict[str, Row], Inputs, Model]:
    """Name -> seconds of each stage on the long film; what each encoder gave; the model."""
    times: dict[str, Row] = {}
    film = folder / "long.mp4"
    moodal.load(args.artefact, threads=args.threads)  # imports what is imported once
    times["read the artefact"], model = timed(
        lambda: moodal.load(args.artefact, threads=args.threads)
    )
    times["probe"], _ = timed(lambda: probe(film), args.rounds)
    times["decode the sound"], heard = timed(lambda: list(blocks(film)))
    speech_spans(heard[:0])  # loads the detector
    times["find speech (VAD)"], spans = timed(lambda: speech_spans(heard))
    times["decode the pictures"], seen = timed(lambda: list(frames(film, FPS, longest=LONGEST)))
    times["find faces"], _ = timed(lambda: _faces(seen))
    times["observe (all of these)"], observations = timed(lambda: _observed(model, film))
    times["encode"], inputs = timed(lambda: _encoded(model, observations))
    if "text" in model.modalities:
        some = [model.encoders["text"].encode(sentence) for sentence in SENTENCES]
        inputs["text"] = some * max(1, round(args.seconds / 6))
    states: dict[str, list[np.ndarray]] = {}
    for modality, given in inputs.items():
        if given:
            model.scorer.states(modality, given[0])  # the session is made when it is first used
        times[f"{modality} graph"], states[modality] = timed(
            lambda m=modality, g=given: [model.scorer.states(m, x) for x in g], args.rounds
        )
    asked = model.ask(None)
    times["fuse"], _ = timed(lambda: _fused(model, states, asked), args.rounds)
    try:
        transcriber(args.threads)
    except MissingDependencyError:
        pass
    else:
        sound = np.concatenate([block.samples for block in heard])
        times["transcribe (ASR)"], _ = timed(lambda: _transcribed(sound, spans, args.threads))
    for name, row in times.items():
        if name != "read the artefact":
            row["real_time"] = args.seconds / row["seconds"]
    return times, inputs, model


def _faces(pictures: list[Picture]) -> None:
    follower = Follower()
    for picture in pictures:
        follower.look(picture)


def _observed(model: Model, film: Path) -> list[Observation]:
    """Every utterance of a film, as `Model.predict` observes it without a transcript."""
    modalities = {m: MODALITIES[m](Settings(FPS)) for m in model.modalities}
    with opened(film) as recording:
        every = observe(recording, modalities, PredictOptions(asr=False, fps=FPS))
        return [one for one in every if isinstance(one, Observation)]


def _encoded(model: Model, observations: list[Observation]) -> Inputs:
    inputs: Inputs = {modality: [] for modality in model.modalities}
    for observation in observations:
        for modality, some in observation.observed.items():
            inputs[modality] += [model.encoders[modality].encode(one.item) for one in some]
    return inputs


def _fused(model: Model, states: dict[str, list[np.ndarray]], asked: Any) -> None:
    """Score utterances one by one, as they come in a prediction."""
    for i in range(max(map(len, states.values()))):
        own = {m: Frames.from_list([some[i]]) for m, some in states.items() if i < len(some)}
        model.scorer.score(own, asked)


def _transcribed(sound: np.ndarray, spans: list[Span], threads: int) -> list[Transcript]:
    """Transcribe utterances, neighbours together, as a prediction does."""
    transcripts: list[Transcript] = []

    def transcribe(samples: np.ndarray, start: float) -> Transcript:
        transcripts.append(transcript(samples, offset=start, threads=threads))
        return transcripts[-1]

    buffer = Buffer(RATE)
    buffer.add(sound)
    absences = Absences(Recording("", "audio"), {})
    transcription = Transcription(transcribe, buffer, absences, required=True, wanted=True)
    for span in spans:
        transcription.expect(Segment(span.start, span.end))
    transcription.settle(np.inf)
    return transcripts


def beside_torch(args: argparse.Namespace, inputs: Inputs, model: Model) -> dict[str, Row]:
    """Modality -> seconds of ONNX Runtime and of PyTorch in turns, and how far their states are
    apart at most (graphs in 8 bits are further from their trainings than those in 32)."""
    try:
        import torch
    except ModuleNotFoundError:
        print("Not beside PyTorch: it is not installed.", file=sys.stderr)
        return {}
    from moodal.core.recipe import load_fusion
    from moodal.train.export.onnx import Preparation, form

    torch.set_num_threads(args.threads)
    parts = load_fusion(args.recipe).parts
    rows: dict[str, Row] = {}
    for stream, branch in model.scorer.branches.items():
        try:
            system = _trained(stream, args.recipe.parent / parts[stream].recipe, args.torch)
        except (DataError, KeyError) as error:
            print(f"Not beside PyTorch, {stream}: {error}", file=sys.stderr)
            continue
        if not inputs[stream]:
            continue
        network = form(system.keyed, WIDTHS[stream], Preparation())
        run, given = branch.states, inputs[stream]

        def plain(network: Any = network, given: Any = given) -> Any:
            return [_in_torch(network, frames) for frames in given]

        apart = max(
            float(np.abs(a - b).max()) for a, b in zip(plain(), map(run, given), strict=True)
        )
        onnx = [timed(lambda r=run, g=given: [r(x) for x in g])[0] for _ in range(args.rounds)]
        other = [timed(plain)[0] for _ in range(args.rounds)]
        fast, slow = (min(row["seconds"] for row in rows) for rows in (onnx, other))
        rows[stream] = {"onnx": fast, "torch": slow, "ratio": slow / fast, "apart": apart}
    return rows


def _in_torch(network: Any, frames: np.ndarray) -> np.ndarray:
    """The states [T', H] that a branch's network gives, fed as `Branch.states` feeds its graph."""
    import torch

    fed = INPUTS[network.input]
    count = max(1, -(-len(frames) // (fed.window or len(frames))))
    arrays = [x for piece in np.array_split(frames, count) for x in fed.arrays(piece)]
    with torch.inference_mode():
        states = [network.module.eval()(torch.from_numpy(x)) for x in arrays]
        return torch.cat([s[0] if fed.batched else s for s in states]).numpy()


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
    vectors = np.zeros((2, 384), np.float32)
    system = branch.build(
        settings, {stream: WIDTHS[stream]}, EmotionSpace(["a", "b"], "single", vectors)
    )
    try:
        system.load_state_dict(weights)
    except RuntimeError as error:
        raise DataError(f"{path} is not of {recipe}: {str(error).splitlines()[0]}") from None
    return system.eval()
