"""The most probable pieces of a word, and the same as those of the package tokenizers."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.modalities.text import e5
from moodal.modalities.text.unigram import UNKNOWN_PENALTY, Unigram

PIECES = ["<unk>", "a", "b", "ab", "ba", "abab"]
SCORES = [0.0, -1.0, -2.0, -2.5, -4.0, -9.0]
UNIGRAM = Unigram(PIECES, SCORES, 0)


def pieces_of(word):
    return [PIECES[number] for number, _ in UNIGRAM.divide(word)]


def test_the_product_of_probabilities_is_the_largest():
    assert pieces_of("abab") == ["ab", "ab"]  # -5, where "abab" has -9
    assert pieces_of("aba") == ["ab", "a"]
    assert pieces_of("bab") == ["b", "ab"]
    assert pieces_of("") == []


def test_unknown_signs_in_a_row_are_one_piece():
    assert UNIGRAM.divide("axyb") == [(1, 0), (0, 1), (2, 3)]
    assert UNIGRAM.divide("xaxx") == [(0, 0), (1, 1), (0, 2)]


@given(st.text(alphabet="abx", min_size=1, max_size=7))
def test_no_other_division_is_more_probable(word):
    known = dict(zip(PIECES[1:], SCORES[1:], strict=True))
    unknown = min(SCORES) - UNKNOWN_PENALTY
    scores = []
    for cuts in itertools.product([False, True], repeat=len(word) - 1):
        ends = [i + 1 for i, cut in enumerate(cuts) if cut] + [len(word)]
        parts = [word[a:b] for a, b in itertools.pairwise([0, *ends])]
        if all(part in known or len(part) == 1 for part in parts):
            scores.append(sum(known.get(part, unknown) for part in parts))
    # of signs in a row that are unknown, each counts
    divided = UNIGRAM.divide(word)
    ends = [place for _, place in divided[1:]] + [len(word)]
    own = sum(
        unknown * (end - place) if number == 0 else SCORES[number]
        for (number, place), end in zip(divided, ends, strict=True)
    )
    assert own == pytest.approx(max(scores))


def test_pieces_are_those_of_the_package_tokenizers():
    tokenizers = pytest.importorskip("tokenizers")
    own = e5.vocabulary()
    unknown = own.special["unk"]
    pieces = list(zip(own.pieces, np.asarray(own.scores).tolist(), strict=True))
    theirs = tokenizers.Tokenizer(tokenizers.models.Unigram(pieces, unk_id=unknown))
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    random = np.random.default_rng(0)
    words = [piece.strip("▁") for piece in own.pieces[4:]]
    texts = [
        "We won, and I am so happy! How dare you touch that!",
        "我很害怕。今天天气真好 أنا غاضب جدا",
        "<s></s><unk> ▁▁ a▁b \u1f600 \U0001f600\U0001f600x\x00",
        "a" * 700,
        *(" ".join(random.choice(words, 12)) for _ in range(200)),
        *("".join(random.choice(words, 12)) for _ in range(200)),
        *("".join(random.choice(list("etaoin ▁.,äжא好😀<>"), 30)) for _ in range(200)),
    ]
    tokenizer = e5.tokenizer()
    for text in texts:
        normal, origin = tokenizer._normal(text)
        [encoded] = theirs.encode_batch([normal], add_special_tokens=False)
        cut = tokenizer.encode(text)
        count = e5.LONGEST - 2
        assert cut.ids[1:-1] == encoded.ids[:count], text
        assert cut.cut == (len(encoded.ids) > count)
        starts = [origin[start] for start, _ in encoded.offsets[:count]]
        assert cut.places[1:-1] == starts, text
        [whole] = tokenizer([text])["input_ids"]
        assert whole[1:-1] == encoded.ids[:510]
