"""Features of any encoder come in files: by row, by name, and every fault in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from moodal.cli.main import main
from moodal.core import manifest as manifests
from moodal.core.errors import AbsentError, DataError, UsageError
from moodal.corpora import table
from moodal.corpora.own import attach, frames, spec
from moodal.features.prepare import prepare

RNG = np.random.default_rng(0)
ROWS = [RNG.normal(size=(3 + i, 4)).astype(np.float32) for i in range(4)]
LABELS = ("happy", "sad", "happy", "sad")


def own_table(folder: Path, files: list[str], column: str = "speech_features") -> Path:
    lines = [f"id,speaker,{column},label"]
    lines += [f"u{i},s{i},{name},{LABELS[i]}" for i, name in enumerate(files)]
    path = folder / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    for i, array in enumerate(ROWS):
        np.save(tmp_path / f"u{i}.npy", array)
    return own_table(tmp_path, [f"u{i}.npy" for i in range(4)])


def plain_table(folder: Path) -> Path:
    lines = ["id,text,label", *(f"u{i},hello {i},{LABELS[i]}" for i in range(4))]
    (folder / "plain.csv").write_text("\n".join(lines) + "\n")
    return folder / "plain.csv"


def read_with(path: Path, stream: str, text: str) -> manifests.Manifest:
    return attach.with_features(table.read(path), {stream: spec.parse(stream, text)})


def test_a_column_names_the_file_of_each_row(arrays: Path) -> None:
    manifest = read_with(arrays, "speech", "files:of=emotion2vec,width=4,rate=50")
    for row, values in zip(manifest.features["speech"], ROWS, strict=True):
        np.testing.assert_array_equal(row, values)
    assert manifest.features["speech"].rate == 50
    assert manifest.encoders["speech"]["name"] == "as-given"
    assert manifest.encoders["speech"]["version"] == "emotion2vec"
    assert manifest.encoders["speech"]["parameters"] == {"rate": 50.0}
    assert not any("speech_features" in u.extra for u in manifest.utterances)


def test_the_command_line_prepares_them(arrays: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "prepared"
    option = "speech=files:of=emotion2vec,width=4,rate=50"
    main(["prepare", "table", str(arrays), str(out), "--encoder", option, "--json"])
    about = json.loads(capsys.readouterr().out)
    assert (
        about["streams"][0] | {"stream": "speech", "width": 4, "steps": 18} == about["streams"][0]
    )
    stored = manifests.read(out)
    np.testing.assert_array_equal(stored.features["speech"][3], ROWS[3])
    assert stored.features["speech"].rate == 50


def test_an_empty_cell_is_an_absent_stream(arrays: Path, tmp_path: Path) -> None:
    lines = ["id,text,speech_features,label"]
    lines += [f"u{i},hello,{'' if i == 1 else f'u{i}.npy'},{LABELS[i]}" for i in range(4)]
    arrays.write_text("\n".join(lines) + "\n")
    manifest = read_with(arrays, "speech", "files")
    assert manifest.features["speech"].lengths.tolist() == [3, 0, 5, 6]
    assert "speech: 1 of 4 utterances have no features: absent." in manifest.notes


def as_npz(path: Path) -> None:
    np.savez(path, **{f"u{i}": array for i, array in enumerate(ROWS)})


def as_parquet(path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = {"id": [f"u{i}" for i in range(4)], "features": [a.tolist() for a in ROWS]}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def as_parquet_of_numbers(path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    whole = np.concatenate(ROWS)
    columns: dict = {"id": [f"u{i}" for i, array in enumerate(ROWS) for _ in array]}
    columns |= {f"d{d}": whole[:, d] for d in range(4)}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def as_csv(path: Path) -> None:
    lines = ["file,start,end,F0,loudness,jitter,shimmer"]
    for i, array in enumerate(ROWS):
        for t, step in enumerate(array):
            cells = ",".join(repr(float(x)) for x in step)
            lines.append(
                f"calls/u{i}.wav,0 days 00:00:00.{t:02d},0 days 00:00:00.{t + 1:02d},{cells}"
            )
    path.write_text("\n".join(lines) + "\n")


def as_folder(path: Path) -> None:
    path.mkdir()
    for i, array in enumerate(ROWS):
        np.save(path / f"u{i}.npy", array[None])


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("all.npz", as_npz),
        ("all.parquet", as_parquet),
        ("wide.parquet", as_parquet_of_numbers),
        ("lld.csv", as_csv),
        ("folder", as_folder),
    ],
)
def test_one_file_holds_the_features_of_all_rows(tmp_path: Path, name: str, write) -> None:
    write(tmp_path / name)
    manifest = read_with(plain_table(tmp_path), "speech", f"files:path={tmp_path / name},width=4")
    for row, values in zip(manifest.features["speech"], ROWS, strict=True):
        np.testing.assert_allclose(row, values, rtol=1e-6)
    assert (manifest.features["speech"].rate == 100) == name.endswith(".csv")


def test_vectors_of_whole_utterances_are_one_step(tmp_path: Path) -> None:
    vectors = np.arange(12.0).reshape(4, 3)
    np.savez(tmp_path / "all.npz", id=np.array(["u3", "u2", "u1", "u0"]), features=vectors)
    manifest = read_with(plain_table(tmp_path), "text", f"files:path={tmp_path / 'all.npz'}")
    assert [row.tolist() for row in manifest.features["text"]] == vectors[::-1, None].tolist()


def openface(path: Path, success: str = "111111", face: str = "000000") -> None:
    lines = ["frame, face_id, timestamp, confidence, success, gaze_0_x, AU01_r, AU01_c"]
    for t, seen in enumerate(success):
        lines.append(f"{t + 1}, {face[t]}, {t / 25:.3f}, 0.98, {seen}, -0.1, {t / 10}, 1")
    path.write_text("\n".join(lines) + "\n")


def test_openface_tables_are_read_by_column(tmp_path: Path) -> None:
    openface(tmp_path / "a.csv", "110111")
    read = frames.read_frames(tmp_path / "a.csv", "AU*_r")
    assert read.names == ("AU01_r",)
    np.testing.assert_allclose(read.values[:, 0], [0, 0.1, 0.3, 0.4, 0.5], rtol=1e-6)
    assert (read.rate, read.lost) == (25, 1)
    assert frames.read_frames(tmp_path / "a.csv").names == ("gaze_0_x", "AU01_r", "AU01_c")
    openface(tmp_path / "b.csv", face="000011")
    with pytest.raises(DataError, match=r"several faces \(face_id 0, 1\); keep the rows of one"):
        frames.read_frames(tmp_path / "b.csv")


def test_a_recording_without_a_face_is_absent(tmp_path: Path) -> None:
    for i in range(4):
        openface(tmp_path / f"{i}.csv", "000000" if i == 2 else "111111")
    path = own_table(tmp_path, [f"{i}.csv" for i in range(4)], "face_features")
    assert read_with(path, "face", "files").features["face"].lengths.tolist() == [6, 6, 0, 6]


@pytest.mark.parametrize("option", ["", ",absent=true"])
def test_an_utterance_without_a_face_among_others_is_absent(tmp_path: Path, option: str) -> None:
    lines = ["id,success,AU01_r"]
    lines += [f"u{i},{int(i != 2)},{t}" for i in range(4) for t in range(3)]
    (tmp_path / "all.csv").write_text("\n".join(lines) + "\n")
    text = f"files:path={tmp_path / 'all.csv'}{option}"
    manifest = read_with(plain_table(tmp_path), "face", text)
    assert manifest.features["face"].lengths.tolist() == [3, 3, 0, 3]
    (tmp_path / "one.csv").write_text("id,success,AU01_r\nanna,0,1\n")
    with pytest.raises(AbsentError, match=r"one\.csv, 'anna': there is no step"):
        frames.read_frames(tmp_path / "one.csv")


def test_opensmile_tables_of_the_command_line_are_read(tmp_path: Path) -> None:
    lines = ["name;frameTime;F0semitone;Loudness_sma3"]
    lines += [f"'unknown';{t / 100:.2f};{t};{t / 2}" for t in range(5)]
    (tmp_path / "lld.csv").write_text("\n".join(lines) + "\n")
    read = frames.read_frames(tmp_path / "lld.csv")
    assert read.names == ("F0semitone", "Loudness_sma3")
    assert (read.values[:, 1] == np.arange(5) / 2).all()
    assert read.rate == 100


def test_what_opensmile_writes_is_read_by_the_names_of_the_recordings(tmp_path: Path) -> None:
    opensmile = pytest.importorskip("opensmile")
    import soundfile

    lines = ["id,audio,label"]
    for i in range(4):
        noise = np.random.default_rng(i).normal(size=8000 + 800 * i) * 0.1
        soundfile.write(tmp_path / f"call{i}.wav", noise, 16000)
        lines.append(f"u{i},call{i}.wav,{LABELS[i]}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    files = [str(tmp_path / f"call{i}.wav") for i in range(4)]
    smile = opensmile.Smile(
        opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors
    )
    table_of = smile.process_files(files)
    table_of.to_csv(tmp_path / "lld.csv")
    manifest = read_with(tmp_path / "table.csv", "speech", f"files:path={tmp_path / 'lld.csv'}")
    assert manifest.features["speech"].rate == 100
    assert manifest.encoders["speech"]["columns"] == list(table_of.columns)
    assert manifest.features["speech"].lengths.tolist() == [
        len(table_of.loc[file]) for file in files
    ]


def talk(folder: Path, media: str = "") -> Path:
    """A table of two turns of one recording, and a third of another."""
    lines = [f"id,{'audio' if media else 'face_features'},dialogue,start,end,label"]
    for i, (start, end) in enumerate([(0, 0.08), (0.08, 0.2)]):
        lines.append(f"u{i},{media or 'talk.csv'},talk,{start},{end},{LABELS[i]}")
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    return folder / "table.csv"


def test_features_of_a_whole_recording_are_cut_to_each_row(tmp_path: Path) -> None:
    openface(tmp_path / "talk.csv", "101111")
    path = talk(tmp_path)
    manifest = read_with(path, "face", "files:cut=true,columns=AU01_r")
    first, second = (row[:, 0].tolist() for row in manifest.features["face"])
    assert (first, second) == ([0], pytest.approx([0.2, 0.3, 0.4]))
    np.savez(tmp_path / "all.npz", talk=np.arange(20.0).reshape(10, 2))
    path = talk(tmp_path, "calls/talk.wav")
    option = f"files:path={tmp_path / 'all.npz'}"
    manifest = read_with(path, "speech", f"{option},cut=true,rate=50")
    assert [row[:, 0].tolist() for row in manifest.features["speech"]] == [
        [0, 2, 4, 6],
        [8, 10, 12, 14, 16, 18],
    ]
    assert "names none of the utterances" in fault(path, option)
    path = talk(tmp_path)
    np.save(tmp_path / "talk.npy", np.zeros((10, 2)))
    path.write_text(path.read_text().replace("talk.csv", "talk.npy"))
    assert "have no times, so the part of a row cannot be cut" in fault(
        path, "files:cut=true", "face"
    )


@pytest.mark.parametrize(("media", "stream"), [("audio", "face"), ("image", "speech")])
def test_times_next_to_another_modality_cut_features(
    tmp_path: Path, media: str, stream: str
) -> None:
    rows = [f"u{i},a.{media},{i},{i + 1},{LABELS[i]},rec.npy" for i in range(2)]
    lines = [f"id,{media},start,end,label,{stream}_features", *rows]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    np.save(tmp_path / "rec.npy", np.arange(1000.0).reshape(500, 2))
    manifest = read_with(tmp_path / "table.csv", stream, "files:rate=100,cut=true")
    assert manifest.features[stream].lengths.tolist() == [100, 100]
    assert manifest.features[stream][1][0, 0] == 200


def test_features_are_cut_only_where_a_row_has_times(arrays: Path) -> None:
    message = fault(arrays, "files:cut=true,rate=50")
    assert "no row has a start or an end" in message
    assert "leave cut=true out" in message


def fault(path: Path, text: str = "files", stream: str = "speech") -> str:
    with pytest.raises((DataError, UsageError)) as caught:
        read_with(path, stream, text)
    return str(caught.value)


def test_another_width_names_the_row(arrays: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "u2.npy", np.zeros((3, 5)))
    where = "row 3 (u2) has 5 values a step, where"
    assert f"{where} the rows before have 4; write them again" in fault(arrays)
    assert f"{where} the specification says 4" in fault(arrays, "files:width=4")


def test_a_missing_file_names_the_row_and_nothing_is_written(arrays: Path, tmp_path: Path) -> None:
    (tmp_path / "u1.npy").unlink()
    message = fault(arrays)
    assert "row 2 (u1) cannot be read" in message
    assert "u1.npy does not exist" in message
    with pytest.raises(DataError, match=r"row 2 \(u1\)"):
        prepare("table", arrays, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_row_of_a_file_is_an_error_unless_it_may_be_absent(tmp_path: Path) -> None:
    path = plain_table(tmp_path)
    np.savez(tmp_path / "all.npz", u0=ROWS[0], u1=ROWS[1], u3=ROWS[3])
    option = f"files:path={tmp_path / 'all.npz'}"
    assert "row 3 (u2) has no features in" in fault(path, option)
    manifest = read_with(path, "speech", f"{option},absent=true")
    assert manifest.features["speech"].lengths.tolist() == [3, 4, 0, 6]
    np.savez(tmp_path / "all.npz", other=ROWS[0])
    assert "names none of the utterances of table (the first is 'u0')" in fault(path, option)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.array([[1.0, np.nan]]), "step 0, column 1 is nan"),
        (np.zeros((2, 2, 2)), "has the shape (2, 2, 2)"),
        (np.array(["a"]), "where numbers should be"),
    ],
)
def test_arrays_that_are_no_features_are_refused(arrays: Path, tmp_path, content, message) -> None:
    np.save(tmp_path / "u1.npy", content)
    assert f"row 2 (u1) cannot be read: {tmp_path / 'u1.npy'}" in fault(arrays)
    assert message in fault(arrays)


def test_pickles_and_files_that_claim_too_much_are_refused(arrays: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "u1.npy", np.array([{"a": 1}], object), allow_pickle=True)
    assert "cannot be read as an array of numbers" in fault(arrays)
    np.save(tmp_path / "u1.npy", np.zeros((2, 4)))
    content = (tmp_path / "u1.npy").read_bytes().replace(b"(2, 4)", b"(2000000000000, 4)")
    (tmp_path / "u1.npy").write_bytes(content)
    assert "cannot be read as an array of numbers" in fault(arrays)


def test_a_table_cut_short_names_its_row(tmp_path: Path) -> None:
    openface(tmp_path / "a.csv")
    text = (tmp_path / "a.csv").read_text()
    (tmp_path / "a.csv").write_text(text[:-12])
    path = own_table(tmp_path, ["a.csv"] * 4, "face_features")
    assert "a.csv, row 6 has 6 cells and the header 8" in fault(path, stream="face")


def test_times_that_contradict_the_rate_are_refused(tmp_path: Path) -> None:
    openface(tmp_path / "a.csv")
    path = own_table(tmp_path, ["a.csv"] * 4, "face_features")
    assert "has 25 steps a second by its times" in fault(path, "files:rate=30", "face")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("files:wdith=4", "no key 'wdith=4'.*write key=value with of, width, rate"),
        ("files:width=wide", "width must be a whole number; got 'wide'"),
        ("files:rate=-1", "width and rate are numbers above 0"),
        ("files:absent=perhaps", "absent must be true or false"),
    ],
)
def test_a_wrong_specification_is_one_sentence(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        spec.parse("speech", text)


def test_one_source_of_a_stream_is_read(arrays: Path, tmp_path: Path) -> None:
    as_npz(tmp_path / "all.npz")
    assert "of which one is read" in fault(arrays, f"files:path={tmp_path / 'all.npz'}")
    assert "has no column text_features" in fault(arrays, stream="text")
    with pytest.raises(UsageError, match="leave the encoder of speech out"):
        prepare("table", arrays, tmp_path / "out", encoders={"speech": "egemaps"})
