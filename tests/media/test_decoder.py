"""The one decoder: damage is collected, and a span is yielded without holes."""

import numpy as np
import pytest
import soundfile

from moodal.media.container import _Span
from moodal.media.decoder import decode, sound_seconds
from moodal.media.samples import Damage

av = pytest.importorskip("av")


def test_damage_is_one_sentence_for_each_kind():
    damage = Damage()
    damage.count_wrong(0)
    assert damage.sentences == []
    damage.count_wrong(1)
    damage.count_wrong(1)
    damage.remarks.append("the file is cut short")
    assert damage.sentences == [
        "1 sample is NaN or infinite, taken as silence",
        "the file is cut short",
    ]


def test_a_span_is_given_without_holes_and_no_further():
    span = _Span(10, 20)
    pieces = [*span.take(5, np.ones((8, 1), "f4")), *span.take(16, np.ones((2, 1), "f4"))]
    assert np.concatenate(pieces)[:, 0].tolist() == [1, 1, 1, 0, 0, 0, 1, 1]
    assert [len(piece) for piece in span.take(30, np.ones((9, 1), "f4"))] == [2]
    assert list(span.take(40, np.ones((9, 1), "f4"))) == []


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_a_length_is_known_without_decoding_or_counted(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, np.zeros(44100 * 3, "f4"), 44100)
    assert sound_seconds(path) == pytest.approx(3.0, abs=1e-3)


def test_a_span_far_into_an_mp3_is_that_part_of_the_whole(tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal(16000 * 20)
    soundfile.write(tmp_path / "a.mp3", noise, 16000)
    part, whole = (
        np.concatenate([s for _, s in decode(tmp_path / "a.mp3", begin, stop, Damage())])
        for begin, stop in ((14.0, 16.0), (0.0, 99.0))
    )
    np.testing.assert_allclose(part, whole[14 * 16000 : 16 * 16000], atol=1e-5)
