"""EmoBox's fold lists become splits: from its folder, from a summary, and for real corpora."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Utterance
from moodal.corpora import crema_d, ravdess
from moodal.evaluation.protocols import emobox, folds


def corpus(name: str, clips: list[str], speakers: list[str]) -> Manifest:
    return Manifest(
        corpus=name,
        space=EmotionSpace(["happy", "sad"], "single"),
        utterances=tuple(
            Utterance(f"id-{clip}", speaker=speaker, media={"speech": Clip(f"audio/{clip}.wav")})
            for clip, speaker in zip(clips, speakers, strict=True)
        ),
        labels=np.eye(2, dtype=np.float32)[[i % 2 for i in range(len(clips))]],
    )


CLIPS = [f"03-01-0{i}-01-01-01-0{actor}" for actor in (1, 2, 3, 4) for i in (3, 4)]
SPEAKERS = [clip[-2:] for clip in CLIPS]


def write_lists(folder: Path, name: str, tested: dict[str, list[str]]) -> None:
    for fold, clips in tested.items():
        place = folder / name / f"fold_{fold}"
        place.mkdir(parents=True)
        rows = [{"key": f"{name}-{c}", "wav": f"downloads/{name}/a/{c}.wav"} for c in clips]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (place / f"{name}_test_fold_{fold}.jsonl").write_text(lines)
        (place / f"{name}_train_fold_{fold}.jsonl").write_text("not read\n")


def test_the_folder_of_emobox_is_a_split(tmp_path: Path) -> None:
    manifest = corpus("ravdess", CLIPS, SPEAKERS)
    write_lists(tmp_path, "ravdess", {"1": CLIPS[:2], "2": CLIPS[2:4]})
    for place in (tmp_path, tmp_path / "ravdess"):
        first, second = folds.from_file(manifest, place, "speaker")
        assert (first.name, first.test.tolist(), second.test.tolist()) == ("fold 1", [0, 1], [2, 3])
        assert set(first.train) | set(first.valid) == set(range(2, 8))
        assert not first.manifest.notes


@pytest.mark.parametrize("name", ["crema-d", "crema-d-votes", "crema-d-panels"])
def test_crema_d_is_one_corpus_there_whatever_its_labels(tmp_path: Path, name: str) -> None:
    write_lists(tmp_path, "cremad", {"1": CLIPS[:2], "2": CLIPS[2:4]})
    lists, note = emobox.read(tmp_path, corpus(name, CLIPS, SPEAKERS))
    assert lists["1"] == [f"id-{clip}" for clip in CLIPS[:2]]
    assert not note


def test_a_summary_of_actors_is_a_split(tmp_path: Path) -> None:
    manifest = corpus("ravdess", CLIPS, SPEAKERS)
    path = tmp_path / "folds.json"
    path.write_text(json.dumps({"source": "x", "ravdess": {"test_actors": {"1": [1, 3]}}}))
    (fold,) = folds.from_file(manifest, path, "speaker")
    assert fold.test.tolist() == [0, 1, 4, 5]


def test_clips_that_the_corpus_lacks_are_noted(tmp_path: Path) -> None:
    manifest = corpus(
        "crema-d", ["1001_DFA_ANG_XX", "1002_DFA_ANG_XX", "1003_DFA_SAD_XX"], list("abc")
    )
    path = tmp_path / "folds.json"
    clips = ["1001_DFA_ANG_XX", "1009_DFA_ANG_XX"]
    path.write_text(json.dumps({"cremad": {"test_clips": clips}}))
    (fold,) = folds.from_file(manifest, path, "speaker")
    assert fold.test.tolist() == [0]
    assert "1 of the 2 clips that EmoBox tests are not in this corpus" in fold.manifest.notes[0]


def test_wrong_lists_are_one_sentence(tmp_path: Path) -> None:
    manifest = corpus("ravdess", CLIPS, SPEAKERS)
    with pytest.raises(DataError, match="has no ravdess/fold_1/ravdess_test_fold_1"):
        emobox.read(tmp_path, manifest)
    write_lists(tmp_path, "ravdess", {"1": ["other"]})
    with pytest.raises(DataError, match="fold 1 of ravdess names no clip of ravdess"):
        emobox.read(tmp_path, manifest)
    (tmp_path / "ravdess/fold_1/ravdess_test_fold_1.jsonl").write_text('{"key": "x"}\n')
    with pytest.raises(DataError, match="each line is an object with the key wav"):
        emobox.read(tmp_path, manifest)
    path = tmp_path / "folds.json"
    path.write_text(json.dumps({"cremad": {"test_clips": ["a"]}}))
    with pytest.raises(DataError, match="has no folds of ravdess; it has cremad"):
        emobox.read(path, manifest)
    path.write_text(json.dumps({"ravdess": {"test_actors": ["one"]}}))
    with pytest.raises(DataError, match="the actors of ravdess cannot be read"):
        emobox.read(path, manifest)


def test_the_real_lists_cover_ravdess_and_crema_d(real) -> None:
    path = real("emobox_folds/folds.json")
    actors = ravdess.read(real("ravdess"))
    every = list(folds.from_file(actors, path, "speaker"))
    assert [f.name for f in every] == [f"fold {i}" for i in range(1, 7)]
    tested = np.concatenate([f.test for f in every])
    assert sorted(tested.tolist()) == list(range(len(actors)))
    speakers = actors.column("speaker")
    for fold in every:
        assert len({speakers[row] for row in fold.test}) == 4
        assert not {speakers[row] for row in fold.test} & {speakers[row] for row in fold.train}
    (fold,) = folds.from_file(crema_d.read(real("crema_d")), path, "speaker")
    assert len(fold.test) == 1856
    assert not any("EmoBox" in note for note in fold.manifest.notes)
