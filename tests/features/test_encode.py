import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError, MoodalError, UsageError
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Utterance, media_of
from moodal.features import encode as encoding
from moodal.features.encode import encode_corpus, encode_items
from moodal.features.store import FeatureStore
from moodal.modalities.build import build
from moodal.modalities.encoder import Encoder


@dataclass(frozen=True)
class Counting(Encoder):
    """A text's length, and how often it was asked."""

    asked: list = field(default_factory=list)
    name: ClassVar[str] = "counting"
    stream: ClassVar[str] = "text"
    width: ClassVar[int] = 1
    rate: ClassVar[None] = None

    def spec(self):
        return {"name": "counting", "fingerprint": "counting-1", "width": 1}

    def encode(self, item):
        self.asked.append(item)
        return np.full((len(item.split()), 1), len(item), np.float32)


def texts(*lines):
    utterances = tuple(
        Utterance(f"u{i}", media=media_of(text=line)) for i, line in enumerate(lines)
    )
    return Manifest("letters", EmotionSpace(["joy"]), utterances, np.zeros((len(lines), 1), "f4"))


def clips(root, *names):
    utterances = tuple(
        Utterance(
            f"u{i}",
            media=media_of(speech=name if isinstance(name, Clip) else name and Clip(name)),
        )
        for i, name in enumerate(names)
    )
    labels = np.zeros((len(names), 1), np.float32)
    return Manifest("voices", EmotionSpace(["joy"]), utterances, labels, root=str(root))


def test_every_utterance_has_its_features_and_the_encoder_is_noted(tmp_path):
    manifest = texts("a day", "", "oh", None)
    out = encode_corpus(manifest, {"text": Counting()}, FeatureStore(tmp_path))
    assert out.features["text"].lengths.tolist() == [2, 0, 1, 0]
    assert out.features["text"].values.ravel().tolist() == [5, 5, 2]
    assert out.encoders["text"]["fingerprint"] == "counting-1"
    assert manifest.features == {}


def test_a_second_run_computes_nothing_and_gives_the_same(tmp_path):
    manifest = texts("a day", "a night", "a day")
    first, second = Counting(), Counting()
    one = encode_corpus(manifest, {"text": first}, FeatureStore(tmp_path))
    two = encode_corpus(manifest, {"text": second}, FeatureStore(tmp_path))
    assert sorted(first.asked) == ["a day", "a night"]
    assert second.asked == []
    assert one.fingerprint == two.fingerprint


def test_only_what_is_new_is_computed(tmp_path):
    encode_corpus(texts("a", "b"), {"text": Counting()}, FeatureStore(tmp_path))
    later = Counting()
    encode_corpus(texts("b", "c", "a"), {"text": later}, FeatureStore(tmp_path))
    assert later.asked == ["c"]


def test_damage_is_mended(tmp_path):
    manifest, store = texts("a", "b"), FeatureStore(tmp_path)
    one = encode_corpus(manifest, {"text": Counting()}, store)
    (pack,) = tmp_path.rglob("*.npz")
    pack.write_bytes(pack.read_bytes()[:200])
    again = Counting()
    two = encode_corpus(manifest, {"text": again}, store)
    assert sorted(again.asked) == ["a", "b"]
    assert one.fingerprint == two.fingerprint


def test_without_a_store_it_works_as_well(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = encode_corpus(texts("a", "b c"), {"text": Counting()})
    assert out.features["text"].lengths.tolist() == [1, 2]
    assert list(tmp_path.iterdir()) == []


def test_other_streams_stay(tmp_path):
    manifest = encode_corpus(texts("happy day", "sad"), {"text": Counting()})
    out = encode_corpus(manifest, {"text": build("glove-50")})
    assert out.features["text"].width == 50
    assert out.encoders["text"]["name"] == "glove-50"


def test_utterances_of_one_name_keep_their_own_features():
    utterances = (Utterance("same", media={"text": "a"}), Utterance("same", media={"text": "b c"}))
    manifest = Manifest("twins", EmotionSpace(["joy"]), utterances, np.zeros((2, 1), np.float32))
    out = encode_corpus(manifest, {"text": Counting()})
    assert out.features["text"].lengths.tolist() == [1, 2]


def test_a_run_that_stops_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setitem(encoding.PACK, "text", 2)
    manifest = texts(*"abcdefgh")

    class Stop(Exception):
        pass

    def encode(self, item):
        if item == "f":
            raise Stop
        return np.ones((1, 1), np.float32)

    with monkeypatch.context() as patch:
        patch.setattr(Counting, "encode", encode)
        with pytest.raises(Stop):
            encode_corpus(manifest, {"text": Counting()}, FeatureStore(tmp_path))
    later = Counting()
    encode_corpus(manifest, {"text": later}, FeatureStore(tmp_path))
    assert later.asked == ["e", "f", "g", "h"]


def test_clips_are_found_from_the_root_and_encoded_by_two_processes(tmp_path, speech):
    names = [speech(f"{i}.wav", 0.3, seed=i).name for i in range(34)]
    manifest = clips(tmp_path, *names, None, str(tmp_path / names[3]), Clip(names[0], 0.1, 0.3))
    egemaps, store = build("egemaps"), FeatureStore(tmp_path / "store")
    two = encode_corpus(manifest, {"speech": egemaps}, store, jobs=2)
    one = encode_corpus(manifest, {"speech": egemaps})
    assert two.fingerprint == one.fingerprint
    frames = two.features["speech"]
    assert frames.rate == 10
    assert frames.lengths[34] == 0
    np.testing.assert_array_equal(frames[35], frames[3])
    assert len(frames[36]) < len(frames[0])
    assert len(list(store.folder.glob("egemaps-*/*.npz"))) == 3  # 36 different clips, 16 a pack


def test_unreadable_media_are_named_together_before_any_work(tmp_path, speech, monkeypatch):
    speech("good.wav")
    (tmp_path / "bad.wav").write_bytes(b"not a sound")
    (tmp_path / "empty.wav").write_bytes(b"")
    names = ("good.wav", "bad.wav", "gone.wav", "empty.wav", Clip("good.wav", 5.0, 6.0))
    manifest = clips(tmp_path, *names)
    worked = []
    monkeypatch.setattr(encoding, "encode_pack", lambda *a: worked.append(a))
    words = (
        r"voices speech: 4 media cannot be read: u1 \(.*bad\.wav.*\); u2 \(.*gone\.wav.*and 1 more"
    )
    with pytest.raises(DataError, match=words):
        encode_corpus(manifest, {"speech": build("egemaps")}, FeatureStore(tmp_path / "s"))
    assert worked == []


@pytest.mark.parametrize("content", [b"version https://git-lfs.github.com/spec/v1\n", b"", None])
def test_each_unreadable_row_names_its_own_path(tmp_path, speech, content):
    names = ("one.wav", "two.wav", "three.wav")
    if content is None:  # damage that shows only in decoding
        import soundfile

        soundfile.write(tmp_path / "whole.flac", soundfile.read(speech("good.wav"))[0], 16000)
        content, names = (tmp_path / "whole.flac").read_bytes()[:9000], ("a.flac", "b.flac")
    for name in names:
        (tmp_path / name).write_bytes(content)
    lost = encoding.encode_each(
        build("egemaps"), [Clip(str(tmp_path / name)) for name in names], FeatureStore(tmp_path)
    )[1]
    assert len(lost) == len(names)
    assert all(f"{tmp_path / name}" in lost[row] for row, name in enumerate(names))


def test_unreadable_media_can_be_left_out_with_a_note(tmp_path, speech):
    speech("good.wav")
    manifest = clips(tmp_path, "good.wav", "gone.wav")
    out = encode_corpus(manifest, {"speech": build("egemaps")}, skip_unreadable=True)
    assert out.features["speech"].lengths.tolist()[1] == 0
    assert out.features["speech"].lengths[0] > 0
    assert [list(u.media) for u in out.utterances] == [["speech"], []]
    (note,) = out.notes
    assert "1 media cannot be read" in note
    assert "left out" in note
    nothing = clips(tmp_path, "gone.wav", "away.wav")
    with pytest.raises(DataError, match=r"2 media cannot be read: u0 \(.*gone.*u1 \(.*away"):
        encode_corpus(nothing, {"speech": build("egemaps")}, skip_unreadable=True)


def test_damage_found_only_while_decoding_is_reported_after_the_rest_is_stored(tmp_path, speech):
    import soundfile

    good, bad = speech("good.wav"), tmp_path / "cut.flac"
    soundfile.write(bad, soundfile.read(good)[0], 16000)
    bad.write_bytes(bad.read_bytes()[:9000])
    store, egemaps = FeatureStore(tmp_path / "store"), build("egemaps")
    with pytest.raises(DataError, match=r"1 media cannot be read: u0 \(.*cut\.flac"):
        encode_corpus(clips(tmp_path, "cut.flac", "good.wav"), {"speech": egemaps}, store)
    key = store.key(Clip(str(good)))
    assert store.read(egemaps, [key]).keys() == {key}


def test_a_corpus_without_the_medium_is_refused():
    with pytest.raises(DataError, match="letters: not one utterance has text"):
        encode_corpus(texts(None, ""), {"text": Counting()})


def test_values_damaged_behind_whole_lengths_are_mended(tmp_path):
    manifest, store = texts("a b", "c"), FeatureStore(tmp_path)
    one = encode_corpus(manifest, {"text": Counting()}, store)
    (pack,) = tmp_path.rglob("*.npz")
    content = bytearray(pack.read_bytes())
    at = content.index(np.float32(3).tobytes(), content.index(b"values.npy"))  # the text's length
    content[at] ^= 1
    pack.write_bytes(content)
    again = Counting()
    two = encode_corpus(manifest, {"text": again}, store)
    assert sorted(again.asked) == ["a b", "c"]
    assert one.fingerprint == two.fingerprint


@pytest.mark.parametrize("kept", [True, False])
def test_any_items_can_be_encoded_in_their_order(tmp_path, kept):
    store = FeatureStore(tmp_path) if kept else None
    items = ["a b", None, "c", "a b", ""]
    frames, unreadable = encode_items(Counting(), items, store)
    assert frames.lengths.tolist() == [2, 0, 1, 2, 0]
    assert frames.values.ravel().tolist() == [3, 3, 1, 3, 3]
    assert unreadable == ""
    nothing, _ = encode_items(Counting(), [None, None], store)
    assert nothing.lengths.tolist() == [0, 0]
    assert nothing.values.shape == (0, 1)


def test_half_precision_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(Counting, "dtype", "float16", raising=False)
    for store in (FeatureStore(tmp_path), None):
        frames, _ = encode_items(Counting(), ["a b", "c"], store)
        assert frames.values.dtype == np.float16


def test_an_encoder_under_the_wrong_stream_is_refused():
    with pytest.raises(UsageError, match="counting reads text, not speech"):
        encode_corpus(texts("a"), {"speech": Counting()})


RUN = """
import sys
import numpy as np
from moodal.core.manifest import Manifest
from moodal.core.emotions import EmotionSpace
from moodal.features import encode
from moodal.modalities.build import build
from moodal.features.store import FeatureStore
from moodal.core.records import Utterance

if __name__ == "__main__":
    encode.PACK["text"] = 4
    lines = [f"what a day number {i}" for i in range(400)]
    utterances = tuple(Utterance(str(i), media={"text": line}) for i, line in enumerate(lines))
    manifest = Manifest("days", EmotionSpace(["joy"]), utterances, np.zeros((400, 1), "f4"))
    store = FeatureStore(sys.argv[1])
    print(encode.encode_corpus(manifest, {"text": build(sys.argv[2])}, store).fingerprint)
"""


def run(folder, spec, **options):
    """That script in a process of its own."""
    command = [sys.executable, "-c", RUN, str(folder), spec]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


def test_a_killed_run_leaves_only_whole_packs_and_the_next_goes_on(tmp_path):
    killed = run(tmp_path / "a", "minilm:pool=true")
    shelf = tmp_path / "a"
    deadline = time.monotonic() + 30
    while len(list(shelf.rglob("*.npz"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    packs = {path: path.stat().st_mtime_ns for path in shelf.rglob("*.npz")}
    assert 3 <= len(packs) < 100
    resumed, _ = run(tmp_path / "a", "minilm:pool=true").communicate(timeout=60)
    assert {path: path.stat().st_mtime_ns for path in packs} == packs
    assert len(list(shelf.rglob("*.npz"))) == 100
    whole, _ = run(tmp_path / "b", "minilm:pool=true").communicate(timeout=60)
    assert resumed == whole != ""


def test_two_processes_may_write_to_one_store(tmp_path):
    both = [run(tmp_path, "glove-50") for _ in range(2)]
    first, second = (process.communicate(timeout=60)[0] for process in both)
    assert first == second != ""
    assert len(list(tmp_path.rglob("*.npz"))) <= 200


def test_a_process_that_is_ended_from_outside_is_reported_in_words(tmp_path, speech, monkeypatch):
    from concurrent.futures.process import BrokenProcessPool

    def broken(tasks):
        raise BrokenProcessPool

    names = [speech(f"{i}.wav", 0.1).name for i in range(2)]
    monkeypatch.setitem(encoding.PACK, "sound", 1)
    monkeypatch.setattr(encoding, "as_completed", broken)
    manifest = clips(tmp_path, *names[:1], Clip(names[1], 0.0, 0.09))
    with pytest.raises(MoodalError, match=r"ended from outside.* run again, with fewer jobs"):
        encode_corpus(manifest, {"speech": build("egemaps")}, jobs=2)


def test_a_film_without_sound_lacks_speech_and_is_no_damage(tmp_path, speech):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "mute.mp4"), "w") as file:
        video = file.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        image = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
        file.mux(video.encode(image))
        file.mux(video.encode(None))
    manifest = clips(tmp_path, speech("a.wav", 0.2).name, "mute.mp4")
    for store in (FeatureStore(tmp_path / "store"), None):
        out = encode_corpus(manifest, {"speech": build("egemaps")}, store)
        assert out.features["speech"].lengths.tolist() == [2, 0]
        assert out.notes == ()
