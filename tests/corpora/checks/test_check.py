"""The checks: each says what was put there, and nothing where nothing is."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest
import soundfile

from moodal.core.emotions import EmotionSpace, Value, Values
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Frames, Utterance
from moodal.corpora.checks.check import Finding, check
from moodal.corpora.checks.expected_counts import PUBLISHED
from moodal.corpora.checks.values import require_values

LABELS = ("neutral", "happy", "sad", "angry")


def _manifest(n: int = 12, corpus: str = "mine", **changes) -> Manifest:
    rng = np.random.default_rng(0)
    splits = [("train", "valid", "test")[i % 3] for i in range(n)]
    values = {
        "corpus": corpus,
        "space": EmotionSpace(LABELS, "single"),
        "utterances": tuple(Utterance(f"u{i}", splits[i]) for i in range(n)),
        "labels": np.eye(4, dtype=np.float32)[np.arange(n) // 3 % 4],
        "features": {
            "speech": Frames.from_list(rng.normal(size=(n, 5, 3))),
            "face": Frames.from_list(rng.normal(size=(n, 5, 2))),
        },
    }
    return Manifest(**values | changes)


def _details(manifest: Manifest, what: str) -> list[tuple[str, str]]:
    return [(f.level, f.detail) for f in check(manifest) if f.what == what]


def _with(manifest: Manifest, changes: dict[int, dict]) -> Manifest:
    utterances = list(manifest.utterances)
    for row, change in changes.items():
        utterances[row] = dataclasses.replace(utterances[row], **change)
    return dataclasses.replace(manifest, utterances=tuple(utterances))


def test_a_clean_corpus_has_nothing_to_look_into():
    findings = check(_manifest())
    assert {f.level for f in findings} == {"ok", "note"}
    assert all(isinstance(f, Finding) and f.detail.endswith(".") for f in findings)
    assert {f.what for f in findings} == {"counts", "duplicates", "empty rows", "values"}


def test_published_counts_match_and_do_not():
    published = PUBLISHED["iemocap"].labels
    rows = [
        (split, LABELS.index(label))
        for split, counts in published.items()
        for label, count in counts.items()
        for _ in range(count)
    ]
    n = len(rows)
    labels = np.eye(4, dtype=np.float32)[[c for _, c in rows]]
    utterances = tuple(Utterance(f"u{i}", split) for i, (split, _) in enumerate(rows))
    whole = _manifest(
        n,
        "iemocap",
        utterances=utterances,
        labels=labels,
        features={"face": Frames.from_list(np.arange(1.0, n + 1).reshape(n, 1, 1))},
    )
    assert _details(whole, "counts") == [("ok", "As published: train 2717, valid 798, test 938.")]
    ((level, detail),) = _details(whole.select(np.arange(1, n)), "counts")
    assert level == "warning"
    assert "train has 2716 utterances, not 2717; train has 953 neutral, not 954" in detail


def test_published_totals_are_consistent():
    for published in PUBLISHED.values():
        for split, counts in published.labels.items():
            assert sum(counts.values()) == published.utterances[split]


def test_copies_across_splits_are_found_by_stream_text_and_id():
    manifest = _manifest()
    manifest.features["face"].values[5:10] = manifest.features["face"].values[:5]  # rows 0, 1
    manifest = _with(
        manifest,
        {0: {"media": {"text": "so be it"}}, 2: {"media": {"text": "so be it"}}, 3: {"id": "u4"}},
    )
    details = [d for level, d in _details(manifest, "duplicates") if level == "warning"]
    assert len(details) == 3
    assert any(
        "share their face features" in d and "u0 (train) and u1 (valid)" in d for d in details
    )
    assert any("share their text" in d and "u0 (train) and u2 (test)" in d for d in details)
    assert any("share their id" in d for d in details)


def test_copies_with_other_labels_within_a_split():
    manifest = _manifest()
    manifest.features["speech"].values[15:20] = manifest.features["speech"].values[:5]  # 0, 3
    manifest = _with(manifest, {0: {"media": {"text": "no"}}, 3: {"media": {"text": "no"}}})
    details = _details(manifest, "duplicates")
    assert len(details) == 2
    assert ("warning", details[1][1]) == details[1]
    message = "same speech features has different labels within a split once, e.g. u0 and u3"
    assert message in details[1][1]
    assert details[0][0] == "note"  # words may be said in two ways


def test_empty_rows():
    manifest = _manifest()
    lengths = np.full(12, 5)
    lengths[3] = 0
    speech = Frames(manifest.features["speech"].values[5:], lengths)
    manifest.features["face"].values[15:20] = 0  # row 3: no speech, and a face of zeros
    manifest = dataclasses.replace(manifest, features=manifest.features | {"speech": speech})
    assert _details(manifest, "empty rows") == [
        ("warning", "1 of 4 utterances of train have no speech."),
        ("warning", "1 of 12 utterances are empty or all zeros: u3."),
    ]
    spoken = _with(manifest, {3: {"media": {"text": "but there are words"}}})
    assert _details(spoken, "empty rows")[1] == ("ok", "No utterance is empty.")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named(bad):
    manifest = _manifest()
    manifest.features["speech"].values[38, 1] = bad
    manifest.labels[2, 0] = bad
    assert _details(manifest, "values") == [
        ("error", "1 utterances have NaN or infinity in speech: u7 (row 7)."),
        ("error", "1 utterances have NaN or infinity in labels: u2 (row 2)."),
    ]


def test_large_values_are_finite():
    manifest = _manifest()
    manifest.features["speech"].values[:] = 3e38
    assert _details(manifest, "values") == [("ok", "All values are finite.")]


def test_constant_columns_are_named():
    manifest = _manifest()
    manifest.features["speech"].values[:, 1] = 7
    details = _details(manifest, "constant columns")
    assert details == [("note", "1 of 3 columns of speech never vary: 1.")]


def test_rows_and_splits_without_an_emotion():
    manifest = _manifest()
    assert _details(manifest, "labels") == []
    manifest.labels[0] = 0
    assert _details(manifest, "labels") == [
        ("error", "1 of 4 utterances of train have no emotion at all."),
        ("warning", "train has no utterance of neutral."),
    ]
    multi = dataclasses.replace(manifest, space=EmotionSpace(LABELS, "multi"))
    assert ("note", "1 of 4 utterances of train have no emotion at all.") in _details(
        multi, "labels"
    )


def _values(numbers):
    """The same utterances with a valence each."""
    labels = np.array(numbers, np.float32)[:, None]
    return dataclasses.replace(_manifest(), space=Values(["valence"]), labels=labels)


def test_values_within_their_range_are_sound():
    manifest = _values(np.linspace(-1, 1, 12))
    about = "Every utterance has its numbers within range: valence (-1 to 1)."
    assert _details(manifest, "labels") == [("ok", about)]
    # 0.1 as a number of 32 bits is a little more than 0.1
    trust = dataclasses.replace(_values([0.1] * 11 + [0.0]), space=Values([Value("trust", 0, 0.1)]))
    assert not [level for level, _ in _details(trust, "labels") if level == "error"]


def test_missing_numbers_and_numbers_out_of_range_are_a_sentence_each():
    numbers = np.linspace(-1, 1, 12)
    numbers[[1, 4]] = np.nan
    numbers[7] = 3.5
    details = [x for x in _details(_values(numbers), "labels") if x[0] == "error"]
    names = [u.id for u in _manifest().utterances]
    assert details == [
        (
            "error",
            f"2 utterances have no valence: {names[1]} (row 2), {names[4]} (row 5); fill in a "
            "number or leave the row out.",
        ),
        (
            "error",
            f"1 utterance has a valence outside of -1 to 1 (3.5): {names[7]} (row 8); correct it, "
            "or declare the range that is meant, in a table as value:valence[LOW,HIGH].",
        ),
    ]
    with pytest.raises(DataError, match="2 utterances have no valence"):
        require_values(_values(numbers))
    require_values(_manifest())


def test_a_value_that_never_varies_is_named():
    details = _details(_values([0.5] * 12), "labels")
    assert ("warning", "All 4 utterances of train have the same valence.") in details


def test_a_corpus_without_utterances_is_an_error():
    assert [f.level for f in check(_manifest().select([]))] == ["error"]


def test_speakers_on_both_sides():
    speakers = {i: {"speaker": f"s{i % 3}", "dialogue": f"d{i // 6}"} for i in range(12)}
    assert _details(_with(_manifest(), speakers), "splits") == [
        ("ok", "No speaker is in more than one split."),
        ("warning", "2 of 2 dialogues are in more than one split."),
    ]


def test_media_files_missing_broken_and_the_same(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(4):
        soundfile.write(tmp_path / f"{i}.wav", rng.normal(size=800) / 9, 8000)
    (tmp_path / "3.wav").write_bytes((tmp_path / "0.wav").read_bytes())
    clips = {i: {"media": {"speech": Clip(f"{i}.wav")}} for i in range(4)}
    manifest = _with(dataclasses.replace(_manifest(), root=str(tmp_path)), clips)
    details = _details(manifest, "media")
    assert details == [("ok", "All 4 media files exist and can be read.")]
    assert any("same media file has different" in d for _, d in _details(manifest, "duplicates"))
    (tmp_path / "0.wav").unlink()
    (tmp_path / "1.wav").write_bytes((tmp_path / "1.wav").read_bytes()[:20])
    (tmp_path / "2.wav").write_bytes(b"")
    assert _details(manifest, "media") == [
        ("error", "1 of 4 media files are missing: 0.wav."),
        ("warning", "2 of 4 media files are not readable: 1.wav, 2.wav."),
    ]
    nothing = manifest.select([1, 2])
    assert _details(nothing, "media") == [
        ("error", "2 of 2 media files are not readable: 1.wav, 2.wav.")
    ]


def test_an_eighth_of_mosei_is_checked_in_a_moment():
    n = 2800
    values = np.random.default_rng(0).normal(size=(n, 20, 409)).astype(np.float32)
    manifest = _manifest(n, features={"text": Frames.from_list(values)})
    start = time.perf_counter()
    check(manifest)
    assert time.perf_counter() - start < 5
