"""Subtitles: what is said from when to when, whatever the file looks like."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.errors import DataError
from moodal.media.subtitles import Cue, parse_subtitles, read_subtitles, subtitles_of

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>So</i> good
to see you

2
00:01:00,5 --> 01:00:00,000
- No!
"""
VTT = """WEBVTT - a talk
Kind: captions

STYLE
::cue { color: red }

NOTE nobody reads this
00:00 is no time here

intro
00:01.000 --> 00:02.500 align:start position:10%
<v.loud Anna Lee>I <c.big>never</c> <00:00:02.000>said &amp; meant</v> that

00:02.000 --> 01:00:03.000
<v Bob>It is 1 &lt; 2
"""


def test_srt():
    assert parse_subtitles(SRT) == [
        Cue(1.0, 2.5, "So good to see you"),
        Cue(60.5, 3600.0, "No!"),
    ]


def test_vtt_keeps_speakers_and_overlaps_and_leaves_out_notes_styles_and_tags():
    assert parse_subtitles(VTT) == [
        Cue(1.0, 2.5, "I never said & meant that", "Anna Lee"),
        Cue(2.0, 3603.0, "It is 1 < 2", "Bob"),
    ]


def test_a_speaker_in_markup_is_on_one_line():
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Anna\nLee>Yes.<v  Bob >No.\n"
    assert parse_subtitles(text) == [Cue(1.0, 2.0, "Yes.No.", "Anna Lee, Bob")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("source", [SRT, VTT])
def test_encodings_and_line_ends_change_nothing(tmp_path, encoding, end, source):
    path = tmp_path / "talk.srt"
    path.write_bytes(source.replace("good", "café").replace("\n", end).encode(encoding))
    assert read_subtitles(path) == parse_subtitles(source.replace("good", "café"))


def test_text_that_looks_like_markup_stays():
    text = "1\n00:00:01,000 --> 00:00:02,000\n{\\an8}I <3 you, 1 < 2 > 0 <b>so</b>\n"
    assert parse_subtitles(text)[0].text == "I <3 you, 1 < 2 > 0 so"


def test_blank_lines_and_missing_numbers():
    text = "00:00:01.000 --> 00:00:02.000\none\n\nmore of it\n00:00:03.000 --> 00:00:04.000\ntwo\n"
    assert [c.text for c in parse_subtitles(text)] == ["one more of it", "two"]
    text = "7\n00:00:03,0 --> 00:00:04,0\n2026\n8\n00:00:01,0 --> 00:00:02,0\n\n\nearly\n"
    assert [c.text for c in parse_subtitles(text)] == ["early", "2026"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n00:00:xx,000 --> 00:00:02,000\nno\n", r"line 2, .* is no span of time"),
        ("1\n00:00:01,000 -->\nno\n", r"line 2"),
        ("2\n00:00:09,0 --> 00:00:03,0\nno\n", r"line 2, whose cue ends \(3 s\) before it starts"),
        ("1\n00:00:61,000 --> 00:02:00,000\nno\n", r"line 2"),
        ("just words\n", "holds no subtitles"),
        ("1\n00:00:01,0 --> 00:00:02,0\nANNA:\n", "holds no subtitles"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\n\n", "holds no subtitles"),
    ],
)
def test_a_wrong_file_is_refused_by_its_line(text, message):
    with pytest.raises(DataError, match=message):
        parse_subtitles(text)


def test_a_bad_line_loses_its_cue_alone_and_is_named():
    text = (
        "1\n00:00:01,0 --> 00:00:02,0\nok\n\n2\n00:00:09,0 --> 00:00:03,0\nno\n\n"
        "3\n00:00:1x,0 --> 00:00:13,0\nnor this\n\n4\n00:00:14,0 --> 00:00:15,0\nfine\n"
    )
    notes = []
    assert [c.text for c in parse_subtitles(text, "a.srt", on_damage=notes.append)] == [
        "ok",
        "fine",
    ]
    assert notes == [
        "a.srt: left out line 6, whose cue ends (3 s) before it starts (9 s), and 1 more"
    ]


@pytest.mark.parametrize(
    ("words", "text", "speaker"),
    [
        ("ANNA: I am so glad.", "I am so glad.", "ANNA"),
        ("MRS. O'NEIL: No!", "No!", "MRS. O'NEIL"),
        ("[Anna]: Yes", "Yes", "Anna"),
        ("- Hi.\n- Hello.", "Hi. Hello.", None),
        ("- ANNA: Hi.\n- BOB: Hello.", "Hi. Hello.", "ANNA, BOB"),
        (">> REPORTER: Well", "Well", "REPORTER"),
        ("-5 degrees: cold", "-5 degrees: cold", None),
        ("He said: no", "He said: no", None),
        ("STOP: GO AWAY", "STOP: GO AWAY", None),
        ("I SAID: no", "I SAID: no", None),
        ("At 10:30 I left", "At 10:30 I left", None),
    ],
)
def test_names_and_dashes_of_speakers_are_no_words(words, text, speaker):
    [cue] = parse_subtitles(f"1\n00:00:01,0 --> 00:00:02,0\n{words}\n")
    assert (cue.text, cue.speaker) == (text, speaker)


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        (["a.en.srt"], "a.en.srt"),
        (["a.de.srt", "a.en.vtt"], "a.en.vtt"),
        (["a.pt-BR.srt", "a.srt"], "a.srt"),
        (["a.en.sdh.srt"], "a.en.sdh.srt"),
        (["a.final version.srt", "ab.en.srt"], None),
    ],
)
def test_subtitles_of_a_language_belong_to_the_recording(tmp_path, beside, expected):
    for name in beside:
        (tmp_path / name).write_text("x")
    found = subtitles_of(tmp_path / "a.wav")
    assert (found and found.name) == expected


@pytest.mark.parametrize("raw", [b"", b"  \n", bytes(range(256)) * 9, b"\xff\xfe\x00\xd8\x00"])
def test_other_files_are_refused(tmp_path, raw):
    (tmp_path / "a.srt").write_bytes(raw)
    with pytest.raises(DataError, match=r"a\.srt"):
        read_subtitles(tmp_path / "a.srt")
    with pytest.raises(DataError, match=r"none\.srt"):
        read_subtitles(tmp_path / "none.srt")


def stamp(ms, mark):
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{mark}{ms:03}"


words = st.text(st.characters(whitelist_categories=("L", "N")), min_size=1, max_size=8)
cues = st.lists(
    st.tuples(st.integers(0, 10**7), st.integers(0, 10**5), st.lists(words, min_size=1)), min_size=1
)


@settings(max_examples=60, deadline=None)
@given(cues, st.sampled_from([",", "."]), st.booleans())
def test_what_is_written_is_read(given_cues, mark, web):
    lines = ["WEBVTT", ""] if web else []
    for i, (start, length, spoken) in enumerate(given_cues, 1):
        lines += [str(i), f"{stamp(start, mark)} --> {stamp(start + length, mark)}"]
        lines += [" ".join(spoken), ""]
    want = [Cue(s / 1000, (s + n) / 1000, " ".join(" ".join(w).split())) for s, n, w in given_cues]
    assert parse_subtitles("\n".join(lines)) == sorted(want, key=lambda c: c.start)


@settings(max_examples=150, deadline=None)
@given(st.text("0123:,.-> \nWEBVTNO<v>/&;{\\}a", max_size=80), st.booleans())
def test_any_text_gives_cues_or_a_sentence(text, web):
    try:
        parsed = parse_subtitles(("WEBVTT\n\n" if web else "") + text)
    except DataError:
        return
    assert parsed
    assert all(0 <= c.start <= c.end and c.text.strip() for c in parsed)


def test_a_voice_name_is_bounded(tmp_path):
    path = tmp_path / "a.vtt"
    path.write_text(f"WEBVTT\n\n00:01.000 --> 00:02.000\n<v {'x' * 5000}>Well.\n")
    [cue] = read_subtitles(path)
    assert cue.speaker == "x" * 80
    assert cue.text == "Well."
