"""multilingual-e5-small: a made-up file in its format, and the package's against its own engine."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import torch

from moodal.core.errors import DataError, MissingDependencyError
from moodal.modalities.text.xlmr import XlmrTokenizer
from moodal.train.backbones.e5 import read_e5
from moodal.train.backbones.locate import find
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.text import build_text, tokenise

H, INNER, LONGEST = 32, 64, 8
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁so", "▁", "s", "o", "g", "▁good", "od"]


def blocks(values):
    """Write values in blocks of 4 bits; those of a block are whole multiples of its scale."""
    out = b""
    for block in values.reshape(-1, 32):
        scale = np.float16(np.abs(block).max() / 7)
        bits = np.rint(block / np.float32(scale)).astype(int) + 8
        out += scale.tobytes() + bytes(
            low | high << 4 for low, high in zip(bits[:16], bits[16:], strict=True)
        )
    return out


def content(rng):
    """Make a file of one layer, and its weights as they are to be read."""
    named = {"emb.word": (len(PIECES), H), "emb.pos": (LONGEST, H), "emb.type": (2, H)}
    named |= {"emb.ln.w": (H,), "emb.ln.b": (H,)}
    for part, (out, given) in {"fi": (INNER, H), "fo": (H, INNER)}.items():
        named |= {f"l0.{part}.w": (out, given), f"l0.{part}.b": (out,)}
    for part in ("q", "k", "v", "ao"):
        named |= {f"l0.{part}.w": (H, H), f"l0.{part}.b": (H,)}
    for part in ("aln", "oln"):
        named |= {f"l0.{part}.w": (H,), f"l0.{part}.b": (H,)}
    values, directory, data = {}, b"", b""
    text = "".join(PIECES).encode()
    ends = np.cumsum([0, *(len(p.encode()) for p in PIECES)]).astype("<u4")
    scores = np.array([0, 0, 0, 0, -1, -3, -4, -4, -4, -1.5, -3], "<f4")
    table = struct.pack("<IBI", ord("０"), 1, ord("o")) + struct.pack("<IB", 1, 0)
    head = b"E5S1" + struct.pack("<I7ifi", 1, H, 1, 4, INNER, len(PIECES), LONGEST, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(text))
    head += ends.tobytes() + scores.tobytes() + text + struct.pack("<iI", 2, len(table)) + table
    size = sum(2 + len(name) + 21 for name in named) + 4
    for name, shape in named.items():
        matrix = name.endswith(("q.w", "k.w", "v.w", "ao.w", "fi.w", "fo.w")) or name == "emb.word"
        array = rng.normal(size=shape).astype(np.float32)
        if matrix:
            scale = np.float32(np.float16(0.125))
            array = np.clip(np.rint(array / scale), -7, 7) * scale
            array.reshape(-1, 32)[:, 0] = 7 * scale  # the largest of each block sets its scale
        held = blocks(array) if matrix else array.astype("<f4").tobytes()
        directory += struct.pack("<H", len(name)) + name.encode()
        place = len(head) + size + len(data)
        directory += struct.pack("<BIQQ", int(matrix), array.size, place, len(held))
        data += held
        values[name] = array
    return head + struct.pack("<i", len(named)) + directory + data, values


@pytest.fixture
def made(tmp_path):
    path = tmp_path / "e5-small-q4.bin"
    data, values = content(np.random.default_rng(0))
    path.write_bytes(data)
    return path, values


def test_every_weight_is_read_to_the_last_bit(made):
    path, values = made
    weights = read_e5(path).weights
    assert len(weights) == len(values)
    word = weights["embeddings.word_embeddings.weight"].numpy()
    np.testing.assert_array_equal(word, values["emb.word"])
    layer = "encoder.layer.0"
    for theirs, ours in {
        f"{layer}.attention.self.key.weight": "l0.k.w",
        f"{layer}.intermediate.dense.weight": "l0.fi.w",
        f"{layer}.output.dense.bias": "l0.fo.b",
        f"{layer}.output.LayerNorm.weight": "l0.oln.w",
    }.items():
        np.testing.assert_array_equal(weights[theirs].numpy(), values[ours])


def tokenizer_of(path):
    file = read_e5(path, weights=False)
    return XlmrTokenizer(file.pieces, file.scores, file.special, file.normalised)


def test_texts_are_normalised_and_cut_into_the_likeliest_pieces(made):
    tokenizer = tokenizer_of(made[0])
    [plain, wide, unknown] = tokenizer(["so  good", "s０\x01 good", "so x"])["input_ids"]
    assert [PIECES[i] for i in plain] == ["<s>", "▁so", "▁good", "</s>"]
    assert wide == plain
    assert [PIECES[i] for i in unknown] == ["<s>", "▁so", "▁", "<unk>", "</s>"]
    [cut] = tokenizer(["so so so so"], max_length=4)["input_ids"]
    assert [PIECES[i] for i in cut] == ["<s>", "▁so", "▁so", "</s>"]


@pytest.mark.parametrize("damage", ["cut", "magic", "block", "empty"])
def test_damage_is_told_in_a_sentence(made, damage):
    path, _ = made
    data = path.read_bytes()
    changed = {
        "cut": data[: len(data) // 2],
        "magic": b"GGUF" + data[4:],
        "block": data[:40] + struct.pack("<i", 64) + data[44:],
        "empty": b"",
    }
    path.write_bytes(changed[damage])
    with pytest.raises(DataError, match="holds no multilingual-e5-small that can be read"):
        read_e5(path)


ENGINE = {
    "I hate you, get out!": (12, [0.047, -0.0127, -0.0482, -0.072, 0.0967, -0.0182]),
    "Ich bin so traurig, dass du gehst.": (16, [0.0696, -0.0465, -0.063, -0.0789, 0.0748, -0.0304]),
    "Мне   страшно…": (8, [0.0337, -0.0287, -0.0567, -0.1001, 0.105, -0.0235]),
    "ﬁne Ｈｅｌｌｏ": (7, [0.0149, -0.0343, -0.035, -0.0917, 0.0529, -0.0398]),
}
"""Text -> its tokens and the first values of its embedding, as the package's engine in C gives
them after "query: ". It rounds what flows between the layers to 8 bits, so they differ a little."""


@pytest.fixture(scope="module")
def package():
    try:
        return find("e5-small")
    except MissingDependencyError as error:
        pytest.skip(str(error))


def test_the_network_agrees_with_the_packages_own_engine(package):
    network = build_text(Backbone(path="e5-small"), 1).eval()
    for text, (count, first) in ENGINE.items():
        [ids] = tokenise(package, [f"query: {text}"])
        assert len(ids) == count
        with torch.no_grad():
            mean = network.states(torch.tensor([ids]))[0].mean(0).numpy()
        np.testing.assert_allclose((mean / np.linalg.norm(mean))[:6], first, atol=2e-3)
