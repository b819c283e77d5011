import dataclasses
import pickle
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest
import soundfile

from moodal.core import manifest as manifests
from moodal.core.emotions import EmotionSpace
from moodal.core.errors import MissingDependencyError, UsageError
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Frames, Utterance, Views
from moodal.features import encode as encoding
from moodal.features.encode import encode_corpus
from moodal.features.prepare import Augmentation, prepare
from moodal.features.store import FeatureStore, resolved
from moodal.features.views.audio import audio_view
from moodal.features.views.encoders import SpeechView
from moodal.features.views.views import with_views
from moodal.lookalikes import LOOKALIKES
from moodal.media.audio import read_audio
from moodal.modalities.build import build
from moodal.modalities.encoder import Encoder
from moodal.modalities.speech.samples import samples_of

LINES = (
    "Maybe we should talk about it there",
    "They started the car in the street today",
    "You know the movie that we saw with them",
)


@dataclass(frozen=True)
class Letters(Encoder):
    """Code points of a text, and what was asked."""

    asked: list = field(default_factory=list)
    dtype: str = "float32"
    name: ClassVar[str] = "letters"
    stream: ClassVar[str] = "text"
    width: ClassVar[int] = 1
    rate: ClassVar[None] = None

    def spec(self):
        return {"name": "letters", "fingerprint": "letters-1", "width": 1}

    def encode(self, item):
        self.asked.append(item)
        return np.array([[ord(c)] for c in item if c.isascii()], self.dtype).reshape(-1, 1)


@dataclass(frozen=True)
class Waves(Encoder):
    """The samples themselves, and what was asked."""

    asked: list = field(default_factory=list)
    dtype: str = "float32"
    name: ClassVar[str] = "waves"
    stream: ClassVar[str] = "speech"
    width: ClassVar[int] = 1
    rate: ClassVar[float] = 16000.0

    def spec(self):
        return {"name": "waves", "fingerprint": "waves-1", "width": 1}

    def encode(self, item):
        self.asked.append(item)
        return samples_of(item)[:, None].astype(self.dtype)


def decoded(frames):
    return ["".join(map(chr, features[:, 0].astype(int))) for features in frames]


def corpus(utterances, **more):
    labels = np.zeros((len(utterances), 1), np.float32)
    return Manifest("voices", EmotionSpace(["joy"]), tuple(utterances), labels, **more)


def texts(*lines):
    return corpus([Utterance(f"u{i}", media={"text": line}) for i, line in enumerate(lines)])


def clips(folder, speech, *seeds):
    """A corpus of short clips, one for each seed, their paths relative to ``folder``."""
    names = [speech(f"{seed}.wav", 0.5, seed=seed).name for seed in seeds]
    utterances = [Utterance(f"u{i}", media={"speech": Clip(n)}) for i, n in enumerate(names)]
    return corpus(utterances, root=str(folder))


def test_each_utterance_has_as_many_views_as_asked_in_order(speech, tmp_path):
    manifest = clips(tmp_path, speech, 0, 1, 2)
    views = with_views(manifest, {"speech": Waves()}, None, 1, 2, 5).views["speech"]
    assert views.rows.tolist() == [0, 0, 1, 1, 2, 2]
    assert not views.given.any()
    for view, (seed, number) in enumerate((seed, n) for seed in range(3) for n in (0, 1)):
        changed = audio_view(read_audio(tmp_path / f"{seed}.wav"), 5, number)
        np.testing.assert_array_equal(views.frames[view][:, 0], changed)
    assert views.source == "2 made of each of 3 utterances, seed 5"


def test_a_view_depends_on_its_medium_alone(speech, tmp_path):
    encoders = {"speech": Waves()}
    many = with_views(clips(tmp_path, speech, 0, 1), encoders, None, 1, 1, 5).views["speech"]
    turned = with_views(clips(tmp_path, speech, 1, 0), encoders, None, 1, 1, 5).views["speech"]
    np.testing.assert_array_equal(many.frames[0], turned.frames[1])
    other = with_views(clips(tmp_path, speech, 0, 1), encoders, None, 1, 1, 6).views["speech"]
    assert len(other.frames[0]) != len(many.frames[0]) or (other.frames[0] != many.frames[0]).any()


def test_given_views_are_used_and_only_the_others_made(speech, tmp_path):
    bare = clips(tmp_path, speech, 0, 1, 2)
    brought = (Clip("1.wav"), Clip("2.wav"))
    first = dataclasses.replace(bare.utterances[0], views={"speech": brought})
    manifest = dataclasses.replace(bare, utterances=(first, bare.utterances[1], Utterance("u2")))
    views = with_views(manifest, {"speech": Waves()}, None, 1, 3, 0).views["speech"]
    assert views.rows.tolist() == [0, 0, 1, 1, 1]
    assert views.given.tolist() == [True, True, False, False, False]
    np.testing.assert_array_equal(views.frames[0][:, 0], read_audio(tmp_path / "1.wav"))
    assert views.source == "given for 1 utterances; 3 made of each of 1 utterances, seed 0"


def test_no_views_of_texts_are_made_and_a_sentence_says_so():
    u = [
        Utterance("u0", media={"text": LINES[0]}, views={"text": ("one way", "another way", " ")}),
        Utterance("u1", media={"text": LINES[1]}),
        Utterance("u2"),
    ]
    out = with_views(corpus(u), {"text": Letters()}, None, 1, 3, 0)
    views = out.views["text"]
    assert views.rows.tolist() == [0, 0]
    assert views.given.all()
    assert decoded(views.frames) == ["one way", "another way"]
    assert views.source == "given for 1 utterances"
    assert out.notes == (
        "text: second views are made of sound only; 1 utterances bring none, and have none.",
    )
    assert with_views(corpus(u[:1]), {"text": Letters()}, None, 1, 3, 0).notes == ()


def test_views_that_came_as_features_stay_and_count_as_given():
    as_features = Views(
        Frames(np.full((3, 1), 65.0, "f4"), np.array([1, 2])),
        np.array([1, 1]),
        np.array([True, True]),
    )
    u = [
        Utterance(f"u{i}", media={"text": x}, views={"text": ("two",)})
        for i, x in enumerate(LINES[:2])
    ]
    manifest = corpus(u, views={"text": as_features})
    asked = []
    out = with_views(manifest, {"text": Letters(asked)}, None, 1, 2, 0)
    assert "only if the same network made both" in out.notes[0]
    views = out.views["text"]
    assert decoded(views.frames) == ["two", "A", "AA"]
    assert views.rows.tolist() == [0, 1, 1]
    assert views.given.all()
    assert asked == ["two"]


def test_views_of_another_width_are_left_out_with_a_note():
    as_features = Views(
        Frames(np.ones((1, 768), "f4"), np.array([1])), np.array([0]), np.array([True])
    )
    out = with_views(
        corpus([Utterance("u", media={"text": LINES[0]})], views={"text": as_features}),
        {"text": Letters()},
        None,
        1,
        1,
        0,
    )
    assert out.views == {}
    assert "1 second views came as features of width 768, letters makes 1; left out" in out.notes[0]


def test_none_are_made_where_none_are_asked_for(speech, tmp_path):
    bare = clips(tmp_path, speech, 0, 1)
    first = dataclasses.replace(bare.utterances[0], views={"speech": (Clip("1.wav"),)})
    manifest = dataclasses.replace(bare, utterances=(first, bare.utterances[1]))
    views = with_views(manifest, {"speech": Waves()}, None, 1, 0, 0).views["speech"]
    assert (views.rows.tolist(), views.given.tolist()) == ([0], [True])
    assert with_views(bare, {"speech": Waves()}, None, 1, 0, 0).views == {}
    with pytest.raises(UsageError, match="0 or more; got -1"):
        with_views(bare, {"speech": Waves()}, None, 1, -1, 0)


def test_an_absent_stream_has_no_views(speech, tmp_path):
    u = [
        Utterance("u0", media={"speech": Clip(str(speech()))}),
        Utterance("u1", media={"speech": Clip("gone.wav")}),
    ]
    manifest = encode_corpus(
        corpus(u, root=str(tmp_path)), {"speech": Waves()}, skip_unreadable=True
    )
    views = with_views(manifest, {"speech": Waves()}, None, 1, 1, 0).views["speech"]
    assert views.rows.tolist() == [0]


def test_speech_is_changed_before_it_is_encoded(speech):
    clip = Clip(str(speech(seconds=1.5)), 0.2, 1.2)
    views = with_views(
        corpus([Utterance("u", media={"speech": clip})]), {"speech": Waves()}, None, 1, 3, 4
    )
    samples = read_audio(clip.path, start=0.2, end=1.2)
    for number, features in enumerate(views.views["speech"].frames):
        np.testing.assert_array_equal(features[:, 0], audio_view(samples, 4, number))
    assert views.views["speech"].frames.rate == 16000


def test_the_same_sound_in_another_file_has_the_same_views(speech, tmp_path):
    path = speech()
    samples, rate = soundfile.read(path, dtype="int16")
    soundfile.write(tmp_path / "other.flac", samples, rate)
    u = [
        Utterance("a", media={"speech": Clip(str(path))}),
        Utterance("b", media={"speech": Clip("other.flac")}),
    ]
    frames = with_views(corpus(u, root=str(tmp_path)), {"speech": Waves()}).views["speech"].frames
    np.testing.assert_array_equal(frames[0], frames[1])


def test_given_recordings_are_found_from_the_root_and_all_used(speech, tmp_path):
    names = [speech(f"{i}.wav", 0.5, seed=i).name for i in range(3)]
    u = Utterance(
        "u", media={"speech": Clip(names[0])}, views={"speech": (Clip(names[1]), Clip(names[2]))}
    )
    views = with_views(corpus([u], root=str(tmp_path)), {"speech": Waves()}).views["speech"]
    assert views.given.tolist() == [True, True]
    np.testing.assert_array_equal(views.frames[1][:, 0], read_audio(tmp_path / names[2]))


def test_given_recordings_that_cannot_be_read_are_left_out_together(speech, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    given = [("gone.wav",), ("broken.wav",), (speech("whole.wav").name, "gone.wav")]
    u = [
        Utterance(
            f"u{i}",
            media={"speech": Clip(str(speech(f"{i}.wav")))},
            views={"speech": tuple(map(Clip, names))},
        )
        for i, names in enumerate(given)
    ]
    manifest = with_views(corpus(u, root=str(tmp_path)), {"speech": Waves()}, None, 1, 1, 0)
    [note] = manifest.notes
    assert note.startswith("speech: of its second views, 3 media cannot be read: u0 (")
    assert "gone.wav" in note
    assert "broken.wav" in note
    assert note.endswith("; left out.")
    views = manifest.views["speech"]
    # who brought none that can be read gets an augmented one
    assert (views.rows.tolist(), views.given.tolist()) == ([0, 1, 2], [False, False, True])


def test_a_second_run_computes_nothing_and_gives_the_same(speech, tmp_path):
    bare = clips(tmp_path, speech, 0, 1)
    first_row = dataclasses.replace(bare.utterances[0], views={"speech": (Clip("1.wav"),)})
    manifest = dataclasses.replace(bare, utterances=(first_row, bare.utterances[1]))
    first, second = [], []
    store = FeatureStore(tmp_path / "store")
    one = with_views(manifest, {"speech": Waves(first)}, store, 1, 2, 0)
    two = with_views(manifest, {"speech": Waves(second)}, store, 1, 2, 0)
    assert len(first) == 3
    assert second == []
    assert one.fingerprint == two.fingerprint != manifest.fingerprint
    more = []
    with_views(manifest, {"speech": Waves(more)}, store, 1, 3, 0)
    assert len(more) == 1  # the third alone


def test_processes_share_the_work_and_change_nothing(speech, tmp_path):
    u = [
        Utterance(str(i), media={"speech": Clip(str(speech(f"{i}.wav", 0.4, seed=i)))})
        for i in range(20)
    ]
    egemaps = {"speech": build("egemaps")}
    two = with_views(corpus(u), egemaps, FeatureStore(tmp_path / "s"), 2, 1, 0)
    one = with_views(corpus(u), egemaps, None, 1, 1, 0)
    assert one.fingerprint == two.fingerprint
    plain = encode_corpus(corpus(u), egemaps).features["speech"]
    assert not np.array_equal(one.views["speech"].frames[0], plain[0])


def test_views_have_the_encoders_precision_and_come_back_from_disk(speech, tmp_path):
    half = {"speech": Waves(dtype="float16")}
    manifest = encode_corpus(clips(tmp_path, speech, 0, 1), half)
    out = with_views(manifest, half, FeatureStore(tmp_path / "s"), 1, 2, 0)
    assert out.views["speech"].frames.values.dtype == np.float16
    out.write(tmp_path / "out")
    back = manifests.read(tmp_path / "out")
    assert back.fingerprint == out.fingerprint
    assert back.views["speech"].source == out.views["speech"].source


def test_real_encoders_take_views(speech, tmp_path):
    encoders = {"speech": build("egemaps")}
    out = with_views(clips(tmp_path, speech, 0, 1, 2), encoders, None, 1, 2, 0)
    assert out.views["speech"].rows.tolist() == [0, 0, 1, 1, 2, 2]
    assert out.views["speech"].frames.width == 25


def test_a_missing_stretcher_is_reported_before_any_work(speech, monkeypatch):
    u = [Utterance("u", media={"speech": Clip(str(speech()))})]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="python_stretch is not installed; `pip"):
        with_views(corpus(u), {"speech": Waves()})


def test_faces_have_no_views():
    @dataclass(frozen=True)
    class Faces(Letters):
        stream: ClassVar[str] = "face"

    assert with_views(texts("a"), {"face": Faces()}).views == {}


def test_a_fingerprint_names_all_that_makes_a_view():
    base = build("egemaps")
    view = SpeechView(base, 0, 1)
    prints = {
        v.spec()["fingerprint"]
        for v in (
            view,
            SpeechView(base, 1, 1),
            SpeechView(base, 0, 2),
            SpeechView(build("egemaps:rate=5"), 0, 1),
            dataclasses.replace(view, recipe=dataclasses.replace(view.recipe, noise_p=0.1)),
            base,
        )
    }
    assert len(prints) == 6
    assert view.spec()["name"] == "egemaps-view"
    assert "python-stretch" in view.spec()["version"]
    assert "numpy" in view.spec()["version"]
    again = pickle.loads(pickle.dumps(view))
    assert again.spec() == view.spec()
    assert (again.stream, again.width, again.rate, again.dtype) == ("speech", 25, 10.0, "float32")


def test_prepare_writes_views_and_a_second_run_computes_none(tmp_path, monkeypatch):
    LOOKALIKES["table"](tmp_path / "data", 12, 2)
    asked = {
        "encoders": {"text": "glove-50", "speech": "egemaps:rate=5"},
        "views": Augmentation(2, 3),
    }
    prepared, findings = prepare("table", tmp_path / "data", tmp_path / "out", **asked)
    kept = manifests.read(tmp_path / "out")
    assert kept.fingerprint == prepared.fingerprint
    assert set(kept.views) == {"speech"}
    views = kept.views["speech"]
    present = np.flatnonzero(kept.features["speech"].lengths)
    assert views.rows.tolist() == np.repeat(present, 2).tolist()
    assert not views.given.any()
    clip = resolved(kept.utterances[present[0]].media["speech"], kept.root)
    changed = audio_view(samples_of(clip), 3, 0)
    np.testing.assert_array_equal(views.frames[0], build("egemaps:rate=5").encode(changed))
    (note,) = [f.detail for f in findings if "second views" in f.detail]
    assert note.startswith("text: second views are made of sound only; ")

    monkeypatch.setattr(encoding, "encode_pack", lambda *a: pytest.fail("computed again"))
    again, _ = prepare("table", tmp_path / "data", tmp_path / "out", **asked)
    assert again.fingerprint == prepared.fingerprint
