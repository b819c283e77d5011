import pickle

import numpy as np
import pytest

from moodal.core.errors import DataError, SpaceError, UnsafeFileError, UsageError
from moodal.modalities.text import glove
from moodal.modalities.text.emotion_vectors import word_vectors
from moodal.modalities.text.minilm import MiniLM


@pytest.fixture
def txt(tmp_path):
    path = tmp_path / "tiny.txt"
    path.write_text("happy 1 2 3\nHappy 4 5 6\n. . . 0 0 1\nsad -1 0.5 2e-1\nangry 1 x 3\n")
    return word_vectors(str(path))


@pytest.fixture
def authors(tmp_path):
    path = tmp_path / "glove.emotions.840B.300d.pt"
    words = ("anger", "Anger", "joy", "sad")
    path.write_bytes(pickle.dumps({w: [float(i)] * 300 for i, w in enumerate(words)}))
    return word_vectors(str(path))


def test_glove_words_are_the_tables(txt):
    index, vectors = glove.table()
    words = word_vectors("glove-50")
    np.testing.assert_array_equal(words.vector("anger"), vectors[index["anger"]])
    assert words.vector("anger").dtype == np.float32


def test_minilm_words_are_embeddings_of_the_word_as_a_text():
    words = word_vectors("minilm")
    np.testing.assert_array_equal(words.vector("joy"), MiniLM(pool=True).encode("joy")[0])
    assert words.vector("a bitter kind of joy").shape == (384,)
    with pytest.raises(SpaceError, match="no vector for ''"):
        words.vector("")


def test_a_text_file_is_read_line_by_line(txt):
    np.testing.assert_array_equal(txt.vector("happy"), [1, 2, 3])
    np.testing.assert_array_equal(txt.vector("happy", capitalised=True), [4, 5, 6])
    np.testing.assert_allclose(txt.vector("sad"), [-1, 0.5, 0.2])
    with pytest.raises(DataError, match="line of 'angry' does not hold 3 finite numbers"):
        txt.vector("angry")


def test_the_header_line_of_word2vec_is_stepped_over(tmp_path):
    path = tmp_path / "w2v.txt"
    path.write_text("2 3\nhappy 1 2 3\nsad 4 5 6\n")
    words = word_vectors(str(path))
    np.testing.assert_array_equal(words.vector("happy"), [1, 2, 3])
    with pytest.raises(SpaceError):
        words.vector("2")


def test_the_authors_pickle_is_read(authors):
    np.testing.assert_array_equal(authors.vector("joy"), [2] * 300)
    np.testing.assert_array_equal(authors.vector("anger", capitalised=True), [1] * 300)
    assert authors.source.startswith("glove.emotions.840B.300d.pt (")
    words, vectors = authors.vocabulary(3, seed=0, exclude=["joy"])
    assert set(words) == {"anger", "sad"}
    assert vectors.shape == (2, 300)
    assert len(authors.vocabulary(99, seed=0)[0]) == 3


def test_drawn_words_are_no_kin_of_the_excluded_ones(authors):
    words, vectors = authors.vocabulary(9, seed=0, exclude=["ANGRY at sadness"])
    assert words == ("joy",)
    np.testing.assert_array_equal(vectors, [[2] * 300])
    words, vectors = authors.vocabulary(9, seed=0, capitalised=True)
    assert words == ("Anger",)
    np.testing.assert_array_equal(vectors, [[1] * 300])
    words, vectors = authors.vocabulary(9, seed=0, exclude=["anger", "joy", "sad"])
    assert (words, vectors.shape) == ((), (0, 300))


class Hostile:
    def __reduce__(self):
        return (print, ("this ran",))


def test_a_pickle_that_would_run_code_is_refused(tmp_path, capsys):
    path = tmp_path / "hostile.pt"
    path.write_bytes(pickle.dumps({"joy": Hostile()}))
    with pytest.raises(UnsafeFileError):
        word_vectors(str(path))
    assert "this ran" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], "is no emotion-vector pickle"),
        ({"joy": "text"}, "is no emotion-vector pickle"),
        ({"joy": [1.0, 2.0], "sad": [1.0]}, "one width"),
        ({"joy": [1.0, float("nan")]}, "finite"),
        ({}, "one width"),
    ],
)
def test_other_pickles_are_refused_in_words(tmp_path, content, words):
    path = tmp_path / "other.pt"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=words):
        word_vectors(str(path))


def test_a_space_has_a_vector_for_each_label():
    words = word_vectors("glove-50")
    space = words.space(["anger", "joy"], "single", synonyms={"joy": ["joy", "delight"]})
    assert space.labels == ("anger", "joy")
    assert space.task == "single"
    assert space.source == "glove-50"
    np.testing.assert_array_equal(space.vectors[0], words.vector("anger"))
    mean = (words.vector("joy") + words.vector("delight")) / 2
    np.testing.assert_allclose(space.vectors[1], mean, rtol=1e-6)


def test_words_without_a_vector_are_all_named_with_near_ones():
    words = word_vectors("glove-50")
    message = r"no vector for 'angerr'; near it is anger.*no vector for 'very happy'.*synonyms"
    with pytest.raises(SpaceError, match=message):
        words.space(["angerr", "joy", "very happy"])
    said = words.space(["very happy"], synonyms={"very happy": ["very", "happy"]})
    assert said.vectors.shape == (1, 50)


def test_capitals_that_a_source_does_not_have_are_told():
    with pytest.raises(SpaceError, match="no vector for 'Anger'; near it is anger"):
        word_vectors("glove-50").vector("anger", capitalised=True)


def test_synonyms_of_no_label_are_refused():
    with pytest.raises(SpaceError, match="Synonyms are given for joi"):
        word_vectors("glove-50").space(["joy"], synonyms={"joi": ["delight"]})


def test_random_words_are_frequent_real_ones_and_follow_the_seed():
    words = word_vectors("glove-50")
    drawn, vectors = words.vocabulary(200, seed=1, exclude=["anger"])
    again, _ = words.vocabulary(200, seed=1, exclude=["anger"])
    other, _ = words.vocabulary(200, seed=2)
    assert drawn == again != other
    assert len(set(drawn)) == 200
    assert vectors.shape == (200, 50)
    index, _ = glove.table()
    assert all(word.isalpha() and word != "anger" for word in drawn)
    assert max(index[word] for word in drawn) < 30_000
    np.testing.assert_array_equal(vectors[7], words.vector(drawn[7]))


def test_minilm_draws_from_gloves_words():
    drawn, vectors = word_vectors("minilm").vocabulary(3, seed=0)
    assert vectors.shape == (3, 384)
    assert set(drawn) <= set(glove.table()[0])


@pytest.mark.parametrize("source", ["glove", "nowhere/glove.txt"])
def test_unknown_sources_are_named_with_what_there_is(source):
    with pytest.raises(UsageError, match="use glove-50, e5, minilm, or the path"):
        word_vectors(source)


def test_a_file_that_is_no_table_is_refused(tmp_path):
    path = tmp_path / "prose.txt"
    path.write_text("\n\n")
    with pytest.raises(DataError, match="no GloVe text file"):
        word_vectors(str(path))
