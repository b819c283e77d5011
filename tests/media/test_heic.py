"""HEIC pictures are read like others, and a damaged or huge one is refused in a sentence."""

from __future__ import annotations

import contextlib
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from moodal.cli.main import main
from moodal.core.errors import DataError, MissingDependencyError
from moodal.media import probe as probing
from moodal.media.heic import is_heic, read_heic
from moodal.media.probe import probe
from moodal.media.video import check_video, frames

pillow_heif = pytest.importorskip("pillow_heif")


@pytest.fixture
def picture(tmp_path):
    """A picture of 300 x 200 pixels, red on the left and blue on the right."""
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[:, :150, 0], pixels[:, 150:, 2] = 250, 250
    path = tmp_path / "IMG_0001.HEIC"
    pillow_heif.from_pillow(Image.fromarray(pixels)).save(path, quality=95)
    return path


def test_it_is_a_picture_of_its_colours(picture):
    media = probe(picture)
    assert (media.kind, media.size) == ("image", (300, 200))
    check_video(picture)
    [one] = frames(picture, longest=150)
    assert one.rgb.shape == (100, 150, 3)
    assert one.scale == 0.5
    assert one.rgb[50, 20].tolist() == pytest.approx([250, 0, 0], abs=12)
    assert one.rgb[50, 130].tolist() == pytest.approx([0, 0, 250], abs=12)
    assert list(frames(picture, start=1.0)) == []


def test_a_turned_picture_stands_upright(tmp_path):
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, :40] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to the right
    path = tmp_path / "turned.heic"
    lying = pillow_heif.from_bytes("RGB", (80, 40), pixels.tobytes())
    lying.info["exif"] = exif.tobytes()
    lying.save(path, quality=95)
    upright = read_heic(path)
    assert upright.shape == (80, 40, 3)
    assert upright[10, 20].mean() > 200
    assert upright[70, 20].mean() < 50


def test_grey_pictures_have_three_channels(tmp_path):
    path = tmp_path / "grey.heic"
    pillow_heif.from_pillow(Image.fromarray(np.full((40, 60), 99, np.uint8))).save(path)
    assert read_heic(path).shape == (40, 60, 3)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_damage_is_told_in_a_sentence(picture, share):
    content = picture.read_bytes()
    picture.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match="is a damaged picture; copy or export it again"):
        probe(picture)


def test_a_huge_picture_is_refused_before_it_is_decoded(picture, monkeypatch):
    monkeypatch.setattr(probing, "PIXELS", 1000)
    with pytest.raises(DataError, match="300 x 200 pixels large"):
        probe(picture)


def test_without_the_package_a_sentence_says_what_to_do(picture, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingDependencyError, match=r"\.\[heic\].*or convert the picture to JPEG"):
        probe(picture)


def test_16_bits_of_grey_become_8(tmp_path):
    path = tmp_path / "grey16.heic"
    values = np.full((40, 60), 40000, np.uint16)
    pillow_heif.from_bytes("I;16", (60, 40), values.tobytes()).save(path)
    [one] = frames(path)
    assert one.rgb.dtype == np.uint8
    assert one.rgb.mean() == pytest.approx(40000 / 256, abs=4)


@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    places=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6)
)
def test_mutated_files_are_read_or_refused_in_a_sentence(picture, places):
    content = bytearray(picture.read_bytes())
    for place, value in places:
        content[place % len(content)] = value
    path = picture.with_name("mutated.heic")
    path.write_bytes(content)
    for ask in (probe, lambda p: list(frames(p))):
        with contextlib.suppress(DataError):
            ask(path)


def test_a_folder_with_one_is_read_without_the_package(picture, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (picture.parent / "words.txt").write_text("I am so glad.")
    main(
        ["predict", str(picture.parent), "--format", "csv", "--out", str(picture.parent / "o.csv")]
    )
    assert "I am so glad." in (picture.parent / "o.csv").read_text()
    assert "needs the package pillow-heif" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main(["predict", str(picture)])
    assert stopped.value.code == MissingDependencyError.exit_code


def test_avif_is_no_heic():
    head = b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avif"
    assert not is_heic(head)
    assert is_heic(head.replace(b"avif", b"heic"))
