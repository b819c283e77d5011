"""Plain rows: utterances that tell nothing, to learn from when a modality is to be heeded.

Neutral lines of a corpus of texts stand beside telling voices and faces. A synthetic voice that
reads out telling texts stands beside telling texts: it has the melody of their sentences, and no
feeling.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from moodal.core.concatenation import origins
from moodal.core.errors import MissingDependencyError, UsageError
from moodal.core.files import replacing
from moodal.core.fusion_recipe import FusionRecipe
from moodal.core.records import Frames
from moodal.corpora import CORPORA
from moodal.media.audio import read_audio
from moodal.modalities.build import build
from moodal.modalities.encoder import Item
from moodal.model.fusion import NEUTRAL
from moodal.model.languages import MEANT
from moodal.train.encoders import ENCODERS
from moodal.train.fuse.branch_scores import BranchScores
from moodal.train.fuse.fit_weights import evidence
from moodal.train.fuse.train_branch import FusedBranch

SYNTHETIC = "espeak-ng"
"""The program that reads out texts, https://github.com/espeak-ng/espeak-ng."""
VOICES = ("en-us", "en-gb", "en-us+f2", "en-gb+m3", "en-us+f4", "en-gb-scotland", "en-us+m7")
SLOWEST, FASTEST = 130, 185
"""Words per minute."""
SENTENCES = 280
"""The number of sentences that are read out for fitting, and for testing."""
LINES = 4000
"""The most neutral lines for fitting, and for testing."""

Parts = dict[str, np.ndarray]
"""Part ("valid" or "test") -> evidence [n, K]."""


def plain_evidence(
    learned: Mapping[str, FusedBranch],
    scores: Mapping[str, BranchScores],
    recipe: FusionRecipe,
    data: Path,
    folder: Path,
) -> dict[str, Parts]:
    """Compute the evidence of the further plain rows that a recipe's parts name.

    Args:
        folder: keeps what is computed.

    Raises:
        UsageError: there is no such corpus, or it has no neutral texts.
        MissingDependencyError: espeak-ng is not installed.
    """
    found: dict[str, Parts] = {}
    for stream, part in recipe.parts.items():
        if not part.plain:
            continue
        items = (
            _spoken(scores, recipe.seed, folder / "synthetic")
            if part.plain == SYNTHETIC
            else _neutral_lines(learned[stream], part.plain, data / part.plain_root)
        )
        found[stream] = {
            name: _evidence(learned[stream], scores[stream], recipe.basics, own)
            for name, own in items.items()
        }
    return found


def _evidence(
    branch: FusedBranch, scores: BranchScores, basics: Sequence[str], items: Sequence[Item]
) -> np.ndarray:
    """Compute a branch's evidence [n, K] for texts or samples; empty ones are left out."""
    encoder = build(branch.experiment.manifest.encoders[branch.stream], ENCODERS)
    encoded = [frames for frames in encoder.encode_many(list(items)) if len(frames)]
    if not encoded:
        return np.zeros((0, len(basics)))
    words = list(branch.space.labels)
    logits = branch.logits(branch.states_of(Frames.from_list(encoded)))
    return evidence(logits, words, scores.shares, basics)


def _neutral_lines(branch: FusedBranch, corpus: str, root: Path) -> dict[str, list[Item]]:
    """Choose the neutral lines of a corpus for each part.

    Of a corpus that trained the branch, they are those of its validation and test rows; of
    another one half of the lines, by their hash, for each part.
    """
    own = {c for c, _ in origins(branch.experiment.manifest)}
    if corpus in own:
        return _held_out_lines(branch, corpus)
    if corpus not in CORPORA:
        raise UsageError(f"There is no corpus {corpus}; there are {', '.join(CORPORA)}.")
    manifest = CORPORA[corpus](root)
    if NEUTRAL not in manifest.space.labels:
        raise UsageError(f"{corpus} has no label neutral, so it has no plain lines.")
    column = manifest.space.labels.index(NEUTRAL)
    texts = [
        str(utterance.text)
        for utterance, labels in zip(manifest.utterances, manifest.labels, strict=True)
        if utterance.text and labels[column] and labels.sum() == labels[column]
    ]
    parts: dict[str, list[Item]] = {"valid": [], "test": []}
    for text in dict.fromkeys(texts):
        parts["test" if _odd(text) else "valid"].append(text)
    return {name: lines[:LINES] for name, lines in parts.items()}


def _held_out_lines(branch: FusedBranch, corpus: str) -> dict[str, list[Item]]:
    """Return the neutral lines among a branch's validation and test rows of a corpus."""
    manifest = branch.experiment.manifest
    column = manifest.space.labels.index(NEUTRAL)
    names = [c for c, _ in origins(manifest)]
    parts: dict[str, list[Item]] = {}
    for part in ("valid", "test"):
        rows = [int(i) for i in getattr(branch.experiment, part) if names[i] == corpus]
        texts: list[Item] = [
            str(manifest.utterances[i].text)
            for i in rows
            if manifest.labels[i, column] > 0 and np.nansum(manifest.labels[i]) == 1
        ]
        parts[part] = list(dict.fromkeys(texts))[:LINES]
    return parts


def _odd(text: str) -> bool:
    return bool(hashlib.sha256(text.encode()).digest()[0] % 2)


def _spoken(scores: Mapping[str, BranchScores], seed: int, folder: Path) -> dict[str, list[Item]]:
    """Have a synthetic voice read out telling texts of each part: samples at 16 kHz."""
    program = shutil.which(SYNTHETIC)
    if program is None:
        raise MissingDependencyError(
            f"The plain voices of the recipe are made by {SYNTHETIC}, which is not installed; "
            f"`apt install {SYNTHETIC}` brings it, or set parts.speech.plain=''."
        )
    folder.mkdir(parents=True, exist_ok=True)
    rows = {"valid": scores["text"].valid, "test": scores["text"].test}
    spoken: dict[str, list[Item]] = {}
    for number, (name, own) in enumerate(rows.items()):
        rng = np.random.default_rng([seed, number])
        languages = own.languages or (None,) * len(own.texts)
        # the voices are English ones
        english = [i for i, lang in enumerate(languages) if lang in (None, MEANT) and own.texts[i]]
        chosen = rng.permutation(english)[:SENTENCES]
        spoken[name] = [_say(program, str(own.texts[i]), rng, folder) for i in chosen]
    return spoken


def _say(program: str, text: str, rng: np.random.Generator, folder: Path) -> np.ndarray:
    """Return the samples of a text in a voice and at a pace that are drawn."""
    voice = VOICES[int(rng.integers(len(VOICES)))]
    pace = str(int(rng.integers(SLOWEST, FASTEST)))
    name = hashlib.sha256(f"{voice} {pace} {text}".encode()).hexdigest()[:16]
    path = folder / f"{name}.wav"
    if not path.exists():
        command = [program, "-v", voice, "-s", pace, "--stdout", "--", text]
        sound = subprocess.run(command, capture_output=True, check=True).stdout
        with replacing(path) as part:
            part.write_bytes(sound)
    return read_audio(path, rate=16000)
