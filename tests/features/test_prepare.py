"""Prepare: from a user's folder to a manifest, or to one sentence about what is wrong."""

import dataclasses
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.console import Console

from moodal.core import manifest as manifests
from moodal.core.errors import DataError, OutputError, UsageError
from moodal.corpora import meld
from moodal.features import encode
from moodal.features.prepare import Augmentation, as_json, findings_table, prepare
from moodal.lookalikes import LOOKALIKES


def lookalike(folder: Path, name: str, utterances: int = 40) -> Path:
    LOOKALIKES[name](folder, utterances, 2)
    return folder


def printed(manifest: manifests.Manifest, findings: list) -> str:
    console = Console(file=io.StringIO(), width=120)
    for table in findings_table(manifest, findings):
        console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["mosei", "iemocap", "mosi-noalign"])
def test_features_in_the_files_are_kept(tmp_path: Path, name: str) -> None:
    root = lookalike(tmp_path / "data", name)
    manifest, findings = prepare(name, root, tmp_path / "out")
    kept = manifests.read(tmp_path / "out")
    assert kept.fingerprint == manifest.fingerprint
    assert {e["name"] for e in kept.encoders.values()} == {"as-given"}
    assert not [f for f in findings if f.level == "error"]


def test_same_input_same_fingerprint_wherever_it_lies(tmp_path: Path) -> None:
    one = lookalike(tmp_path / "one", "table", 12)
    shutil.copytree(one, tmp_path / "two")
    first, _ = prepare("table", one, tmp_path / "a", store=tmp_path / "store")
    second, _ = prepare("table", tmp_path / "two", tmp_path / "deep" / "b")
    assert first.fingerprint == second.fingerprint
    for file in ("utterances.jsonl", "labels.npy", "features/speech.npy", "features/text.npy"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "deep" / "b" / file).read_bytes()
    other = lookalike(tmp_path / "other", "table", 13)
    third, _ = prepare("table", other, tmp_path / "c", store=tmp_path / "store")
    assert third.fingerprint != first.fingerprint


def test_raw_media_are_encoded(tmp_path: Path) -> None:
    root = lookalike(tmp_path / "data", "ravdess", 12)
    manifest, _ = prepare("ravdess", root, tmp_path / "out", encoders={"speech": "egemaps:rate=2"})
    assert {s: e["name"] for s, e in manifest.encoders.items()} == {
        "text": "glove-50",
        "speech": "egemaps",
        "face": "as-given",
    }
    speech = manifest.features["speech"]
    assert speech.rate == 2.0
    assert (speech.lengths == 0).sum() == 1  # the clip without sound
    assert manifest.features["text"].width == 50


def test_a_stream_can_be_left_out(tmp_path: Path) -> None:
    root = lookalike(tmp_path / "data", "ravdess", 12)
    manifest, _ = prepare(
        "ravdess", root, tmp_path / "out", encoders={"speech": "none", "face": "none"}
    )
    assert list(manifest.features) == list(manifest.encoders) == ["text"]


@pytest.mark.parametrize(("column", "name"), [("video", "face"), ("media:pulse", "pulse")])
def test_a_modality_without_a_default_encoder_is_a_finding(
    tmp_path: Path, column: str, name: str
) -> None:
    (tmp_path / "table.csv").write_text(f"id,text,{column},label\na,so glad,a.mp4,joy\nb,oh,,sad\n")
    (tmp_path / "a.mp4").write_bytes(b"not looked into")
    manifest, findings = prepare(
        "table", tmp_path / "table.csv", tmp_path / "out", encoders={"speech": "none"}
    )
    assert list(manifest.features) == ["text"]
    assert [f.detail for f in findings if f.what == name] == [
        f"There is {name} to encode, but it has no default encoder: left out. "
        f"Choose one with --encoder {name}=NAME."
    ]


def test_tables_and_json_tell_the_same(tmp_path: Path) -> None:
    root = lookalike(tmp_path / "data", "mosei", 100)
    manifest, findings = prepare("mosei", root, tmp_path / "out")
    text = printed(manifest, findings)
    answer = json.loads(json.dumps(as_json(manifest, findings)))
    assert answer["fingerprint"] == manifest.fingerprint
    assert [s["stream"] for s in answer["streams"]] == ["text", "speech", "face"]
    assert answer["splits"]["train"]["utterances"] == 70
    happy = int((manifest.labels[manifest.rows("train"), manifest.space.index("happy")] > 0).sum())
    assert answer["splits"]["train"]["labels"]["happy"] == happy
    assert len(answer["findings"]) == len(findings)
    assert "mosei: 100 utterances" in text
    assert "-inf in speech" in text
    assert next(f.detail for f in findings if f.level == "warning")[:12] in text


def test_sentiment_shows_its_mean(tmp_path: Path) -> None:
    manifest, findings = prepare("mosi", lookalike(tmp_path / "d", "mosi"), tmp_path / "out")
    mean = as_json(manifest, findings)["splits"]["train"]["labels"]["sentiment"]
    assert mean == pytest.approx(float(manifest.labels[manifest.rows("train")].mean()))
    assert "Mean values" in printed(manifest, findings)


def test_errors_of_the_check_stop_it_before_writing(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("id,text,image,label\na,hi,a.png,joy\nb,oh,b.png,sad\n")
    with pytest.raises(DataError, match=r"was not prepared: media: .*missing: a\.png, b\.png"):
        prepare("table", tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"RIFF", b"version https://git-lfs.github.com/spec/v1\n"])
def test_a_clip_that_cannot_be_read_is_left_out_and_named(tmp_path: Path, content: bytes) -> None:
    root = lookalike(tmp_path / "data", "crema-d", 12)
    files = sorted((root / "AudioWAV").iterdir())
    files[0].write_bytes(content)
    manifest, findings = prepare("crema-d", root, tmp_path / "out", encoders={"text": "none"})
    (found,) = [f for f in findings if f.what == "media" and f.level == "warning"]
    assert f"speech: 1 media cannot be read: {files[0].stem} ({files[0]}" in found.detail or (
        f"speech: 1 media cannot be read: {files[0].stem} (Cannot read audio {files[0]}"
        in found.detail
    )
    row = [u.id for u in manifest.utterances].index(files[0].stem)
    assert "speech" not in manifest.utterances[row].media
    assert manifest.features["speech"].lengths[row] == 0
    assert manifests.read(tmp_path / "out").fingerprint == manifest.fingerprint
    for path in files:
        path.write_bytes(content)
    with pytest.raises(DataError, match=f"media cannot be read: {files[0].stem}"):
        prepare("crema-d", root, tmp_path / "again", encoders={"text": "none"})
    assert not (tmp_path / "again").exists()


def test_meld_with_a_cut_clip_and_one_of_another_length(tmp_path: Path) -> None:
    clip = (Path(__file__).parents[2] / "examples" / "clip.mp4").read_bytes()
    head = "Utterance,Speaker,Emotion,Dialogue_ID,Utterance_ID,StartTime,EndTime\n"
    for part, place in meld.FOLDERS.items():
        (tmp_path / place).mkdir()
        text = head
        for u in range(4):
            end = "01:00:00,100" if (part, u) == ("test", 1) else "01:00:05,000"
            text += f'words {u},Ann,joy,125,{u},"00:59:58,500","{end}"\n'
            content = clip[: len(clip) // 3] if (part, u) == ("train", 3) else clip
            (tmp_path / place / f"dia125_utt{u}.mp4").write_bytes(content)
        (tmp_path / f"{part}_sent_emo.csv").write_text(text)
    manifest, findings = prepare("meld", tmp_path, tmp_path / "out")
    assert len(manifest) == 12
    assert int((manifest.features["speech"].lengths > 0).sum()) == 11
    details = {f.what: f.detail for f in findings if f.level == "warning"}
    assert "1 media cannot be read: train_dia125_utt3 (" in details["media"]
    assert ": test_dia125_utt1 (6.6 s; from its start to its end 1.6 s)." in details["lengths"]
    assert not any("can be read" in f.detail for f in findings if f.level == "ok")


def test_missing_files_are_an_error_before_anything_is_encoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.csv").write_text("id,text,audio,label\na,oh,a.wav,joy\n")
    monkeypatch.setattr(encode, "encode_corpus", lambda *_, **__: pytest.fail("encoded"))
    with pytest.raises(DataError, match=r"1 of 1 media files are missing: a\.wav"):
        prepare("table", tmp_path / "t.csv", tmp_path / "out")


def test_silence_is_named_also_from_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = lookalike(tmp_path / "data", "crema-d", 12)
    quiet = sorted((root / "AudioWAV").iterdir())[0]
    soundfile.write(quiet, np.full(32000, 5e-5), 16000)
    only = {"text": "none"}
    _, findings = prepare("crema-d", root, tmp_path / "a", encoders=only)
    (found,) = [f for f in findings if f.what == "silence"]
    assert found.level == "warning"
    assert f"1 recording is silent: {quiet.stem};" in found.detail
    monkeypatch.setattr(encode, "_computed", lambda _, work, *__: [1 / 0] if work else [])
    _, again = prepare("crema-d", root, tmp_path / "b", encoders=only)
    assert again == findings
    monkeypatch.undo()
    for shelf in (tmp_path / "feature-store").glob("acoustics-*"):
        shutil.rmtree(shelf)  # a store of an earlier version
    assert prepare("crema-d", root, tmp_path / "c", encoders=only)[1] == findings


@pytest.mark.parametrize(
    ("encoders", "message"),
    [
        ({"voice": "egemaps"}, "No stream is called 'voice'; there are text, speech, face"),
        ({"text": "glove-50"}, "mosei has no text to encode; leave the encoder of text out"),
        ({"face": "pixels"}, "mosei has no face to encode"),
    ],
)
def test_encoders_that_do_not_fit(tmp_path: Path, encoders: dict[str, str], message: str) -> None:
    root = lookalike(tmp_path / "data", "mosei", 12)
    with pytest.raises(UsageError, match=message):
        prepare("mosei", root, tmp_path / "out", encoders=encoders)
    assert not (tmp_path / "out").exists()


def test_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean mosei"):
        prepare("moseii", tmp_path, tmp_path / "out")
    with pytest.raises(DataError, match="does not exist"):
        prepare("mosei", tmp_path / "nowhere", tmp_path / "out")


def test_a_place_that_cannot_be_written_is_refused_first(tmp_path: Path) -> None:
    root = lookalike(tmp_path / "data", "mosei", 12)
    with pytest.raises(OutputError, match="holds no manifest"):
        prepare("mosei", root, root)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"):
        prepare("mosei", root, tmp_path / "file")


def test_nothing_is_encoded_for_a_place_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = lookalike(tmp_path / "data", "table", 12)
    (tmp_path / "file").touch()
    monkeypatch.setattr(encode, "encode_corpus", lambda *_, **__: pytest.fail("encoded"))
    with pytest.raises(OutputError, match="a part of that path is a file"):
        prepare("table", root, tmp_path / "file" / "out")


def test_a_second_run_computes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = lookalike(tmp_path / "data", "table", 12)
    first, _ = prepare("table", root, tmp_path / "prepared" / "a")
    assert (tmp_path / "prepared" / "feature-store").is_dir()
    monkeypatch.setattr(encode, "_computed", lambda _, work, *__: [1 / 0] if work else [])
    second, _ = prepare("table", root, tmp_path / "prepared" / "b")
    assert first.fingerprint == second.fingerprint


def test_jobs_are_at_least_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="1 or more; got 0"):
        prepare("table", tmp_path, tmp_path / "out", jobs=0)


def test_a_label_in_brackets_is_printed_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("id,text,label\na,so glad,[b]joy\nb,oh,[/b]\n")
    assert "[b]joy" in printed(*prepare("table", tmp_path / "table.csv", tmp_path / "out"))


def test_an_earlier_manifest_is_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare("mosei", lookalike(tmp_path / "a", "mosei", 12), out)
    manifest, _ = prepare("mosei", lookalike(tmp_path / "b", "mosei", 30), out)
    assert manifests.read(out).fingerprint == manifest.fingerprint
    assert np.load(out / "labels.npy").shape == (30, 6)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "out"]


def test_a_damaged_manifest_may_be_replaced(tmp_path):
    LOOKALIKES["mosei"](tmp_path / "files", 30, 0)
    first, _ = prepare("mosei", tmp_path / "files", tmp_path / "p")
    (tmp_path / "p" / "labels.npy").write_bytes(b"")
    again, _ = prepare("mosei", tmp_path / "files", tmp_path / "p")
    assert again.fingerprint == first.fingerprint


def test_views_are_made_of_what_was_encoded(tmp_path, monkeypatch):
    from moodal.features.views import views

    asked = []

    def with_views(manifest, encoders, *, store, jobs, count, seed):
        asked.append((sorted(encoders), store.folder.name, jobs, count, seed))
        return manifest

    monkeypatch.setattr(views, "with_views", with_views)
    root = lookalike(tmp_path / "data", "table", 12)
    prepare("table", root, tmp_path / "a", views=Augmentation(2, 7))
    prepare("table", root, tmp_path / "b")
    assert asked == [(["speech", "text"], "feature-store", 1, 2, 7)]


def test_views_that_cannot_be_made(tmp_path):
    root = lookalike(tmp_path / "data", "mosei", 12)
    with pytest.raises(UsageError, match="came as features"):
        prepare("mosei", root, tmp_path / "out", views=Augmentation(1))
    with pytest.raises(UsageError, match="0 or more; got -1"):
        prepare("mosei", root, tmp_path / "out", views=Augmentation(-1))
    assert not (tmp_path / "out").exists()


def test_views_that_came_as_features_stay_unless_their_stream_is_encoded_anew(
    tmp_path, monkeypatch
):
    from moodal import corpora
    from moodal.core.records import Frames, Views

    root = lookalike(tmp_path / "data", "table", 12)

    def with_some(path):
        manifest = corpora.CORPORA["table"](path)
        views = Views(Frames.from_list([np.ones((2, 5))] * 12), np.arange(12), np.ones(12, bool))
        text = Frames.from_list([np.ones((3, 5))] * 12)
        return dataclasses.replace(manifest, views={"text": views}, features={"text": text})

    monkeypatch.setitem(corpora.CORPORA, "given", with_some)
    kept, _ = prepare(
        "given", root, tmp_path / "a", encoders={"speech": "none"}, views=Augmentation(1)
    )
    assert list(kept.views) == ["text"]
    for encoders in ({"text": "glove-50"}, {"text": "none"}):
        anew, _ = prepare("given", root, tmp_path / "b", encoders=encoders)
        assert not anew.views
