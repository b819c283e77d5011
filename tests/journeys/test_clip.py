"""The clip that the repository carries, and the part of its making that needs no synthesiser."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import av
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "examples" / "clip.mp4"


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("make_clip", ROOT / "tools" / "make_clip.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _decoded(path):
    with av.open(str(path)) as film:
        pictures = [f.to_ndarray(format="rgb24") for f in film.decode(video=0)]
    with av.open(str(path)) as film:
        sound = np.concatenate([f.to_ndarray()[0] for f in film.decode(audio=0)])
    return pictures, sound


def test_the_clip_has_picture_and_sound_and_its_transcript_fits(maker):
    assert CLIP.stat().st_size < 300_000
    pictures, sound = _decoded(CLIP)
    seconds = len(sound) / maker.RATE
    assert 5 < seconds < 8
    assert len(pictures) / maker.FPS == pytest.approx(seconds, abs=0.2)
    cues = CLIP.with_suffix(".srt").read_text(encoding="utf-8").strip().split("\n\n")
    assert [cue.split("\n")[2] for cue in cues] == [line.text for line in maker.LINES]
    last = 0.0
    for cue in cues:
        ends = [float(t[6:].replace(",", ".")) for t in cue.split("\n")[1].split(" --> ")]
        assert last < ends[0] < ends[1] < seconds
        quiet, loud = (
            np.abs(sound[int(a * maker.RATE) : int(b * maker.RATE)]).mean()
            for a, b in ((last + 0.1, ends[0] - 0.1), ends)
        )
        assert loud > 10 * quiet
        last = ends[1]


def test_a_film_is_the_same_each_time_and_shows_the_moods(maker, tmp_path):
    sound = np.random.default_rng(0).normal(0, 0.1, maker.RATE // 2).astype(np.float32)
    pictures = maker.faces(sound, [(0.1, 0.4, maker.LINES[1])])
    assert len(pictures) == maker.FPS // 2
    files = [tmp_path / name for name in ("a.mp4", "b.mp4")]
    for path in files:
        maker.write_film(path, pictures, sound)
    assert files[0].read_bytes() == files[1].read_bytes()
    shown, heard = _decoded(files[0])
    assert len(shown) == maker.FPS // 2
    assert len(heard) == pytest.approx(maker.RATE / 2, abs=2048)
    assert np.abs(shown[6].astype(int) - pictures[6]).mean() < 8
    assert np.abs(pictures[6].astype(int) - pictures[0]).mean() > 0.5
