"""The networks of encoders that need PyTorch: located, loaded once per process, and run."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from moodal.modalities.encoder import package_folder
from moodal.train.backbones.locate import BackboneFiles

if TYPE_CHECKING:
    from moodal.train.backbones.speech import SpeechBackbone
    from moodal.train.backbones.text import TextBackbone

ALL = -1
"""In the place of a layer's number: all layers, side by side."""


def backbone_files(path: str) -> BackboneFiles:
    """Locate the files of a backbone.

    Raises:
        MissingDependencyError: PyTorch or transformers is not installed.
        UsageError: there is no such backbone.
    """
    for package in ("torch", "transformers"):
        package_folder(package, "train")
    from moodal.train.backbones.locate import find

    return find(path)


def backbone_sizes(path: str) -> Any:
    """Return transformers' config object of a backbone."""
    return _config(backbone_files(path))


@lru_cache(maxsize=16)
def _config(files: BackboneFiles) -> Any:
    from moodal.train.backbones.pretrained import config_of

    return config_of(files.config, files.name)


@lru_cache(maxsize=2)
def speech_network(files: BackboneFiles, layer: int) -> SpeechBackbone:
    """Load the network that reads samples; with layer 0 only its front-end is used."""
    from moodal.train.backbones.layered import SideBySide
    from moodal.train.backbones.settings import Backbone
    from moodal.train.backbones.speech import build_speech

    _limit_threads()
    layers = 0 if layer == ALL else max(layer, 1)
    network = build_speech(Backbone(path=files.name, layers=layers, freeze=-1), 1)
    if layer == ALL:
        network.layer_sum = SideBySide()
    return network.eval()


@lru_cache(maxsize=2)
def text_network(files: BackboneFiles, every: bool) -> TextBackbone:
    """Load the network that reads tokens.

    Args:
        every: whether its states are those of all layers, side by side.
    """
    from moodal.train.backbones.layered import SideBySide
    from moodal.train.backbones.settings import Backbone
    from moodal.train.backbones.text import build_text

    _limit_threads()
    network = build_text(Backbone(path=files.name, freeze=-1), 1)
    if every:
        network.require_stack("text-layers")
        network.layer_sum = SideBySide()
    return network.eval()


def token_numbers(path: str, texts: Sequence[str]) -> list[list[int]]:
    """Return the token numbers of each text; none for a text of special tokens alone."""
    from moodal.train.backbones.text import tokenise

    return tokenise(backbone_files(path), texts)


def _limit_threads() -> None:
    """Use one thread in a worker process, since several of them share a corpus."""
    import torch

    if multiprocessing.parent_process() is not None:
        torch.set_num_threads(1)
