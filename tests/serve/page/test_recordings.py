"""The page with recordings: dropped, answered, played, scored with other words, corrected, kept."""

from __future__ import annotations

import base64
import csv
import json
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import soundfile

import moodal
from moodal.core.correction import read_corrections
from moodal.output.formats import from_json

EXAMPLES = Path(__file__).parents[3] / "examples"
CLIP = EXAMPLES / "clip.mp4"
OTHER_WORDS = "joy, grief, boredom"

DROP = """
  (files) => {
    const transfer = new DataTransfer();
    for (const [name, content] of files) {
      const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
      transfer.items.add(new File([bytes], name));
    }
    document.querySelector(".drop").dispatchEvent(
      new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
"""


def drop(page, *paths):
    page.evaluate(DROP, [[p.name, base64.b64encode(p.read_bytes()).decode()] for p in paths])


def wait_for_answer(page):
    page.wait_for_selector("#export-go:not([disabled])", timeout=60000)


def answers(page):
    """The answers in the list of utterances, such as "anger 98 %"."""
    return [text.strip() for text in page.locator(".badge").all_inner_texts()]


def expected(timeline):
    """The same of a timeline."""
    texts = []
    for p in timeline:
        percent = math.floor(100 * round(p.probabilities[p.shown_emotion], 4) + 0.5)
        likely = f"{p.shown_emotion} {percent} %"
        texts.append(likely if p.decided else f"unsure ({likely})")
    return texts


def kept(page, format):
    """Save the answers in a format, and return the file's text."""
    page.select_option("#export", format)
    with page.expect_download() as download:
        page.click("#export-go")
    return Path(download.value.path()).read_text(
        encoding="utf-8"
    ), download.value.suggested_filename


@pytest.fixture(scope="module")
def whole_model():
    """The model of the package, which the server has, too."""
    return moodal.load(threads=1)


def test_a_film_from_drop_to_export(home, whole_model, tmp_path):
    page = home()
    drop(page, CLIP, CLIP.with_suffix(".srt"))
    wait_for_answer(page)
    subtitles = CLIP.with_suffix(".srt")
    timeline = whole_model.predict(CLIP, subtitles=subtitles)
    assert answers(page) == expected(timeline)

    # play and seek: it is the browser's own copy
    assert page.locator("video").get_attribute("src").startswith("blob:")
    page.locator(".block").nth(1).click()
    playing = "document.querySelector('.stage video')"
    assert page.evaluate(f"{playing}.currentTime") == pytest.approx(timeline[1].start, abs=0.01)
    page.evaluate(f"{playing}.muted = true")
    page.get_by_role("button", name="Play it", exact=True).click()
    page.locator(".details blockquote", has_text="How dare you").wait_for()
    for _ in range(100):
        if page.evaluate(f"{playing}.currentTime >= {timeline[1].end} && {playing}.paused"):
            break
        page.wait_for_timeout(100)
    # it stops soon after the utterance, and before the next one
    assert timeline[1].end <= page.evaluate(f"{playing}.currentTime") < timeline[2].start

    # Space plays, also where a block was clicked
    page.locator(".block").nth(1).click()
    page.keyboard.press(" ")
    page.wait_for_function(f"!{playing}.paused")
    page.keyboard.press(" ")
    page.wait_for_function(f"{playing}.paused")

    # other words, at once
    page.fill("#other-emotions", OTHER_WORDS)
    page.get_by_role("button", name="Score these words").click()
    page.locator(".probability", has_text="joy").wait_for(timeout=60000)
    assert answers(page) == expected(
        whole_model.predict(CLIP, subtitles=subtitles, emotions=OTHER_WORDS)
    )
    text, _ = kept(page, "csv")  # what is saved is what is shown
    saved = list(csv.DictReader(text.splitlines()))
    assert {name for name in saved[0] if name.startswith("p_")} == {
        f"p_{word.strip()}" for word in OTHER_WORDS.split(",")
    }
    page.get_by_role("button", name="Show the first answer again").click()
    page.locator(".probability", has_text="sadness").wait_for()

    # a label and the words are corrected by clicking them
    page.locator(".badge").nth(2).click()
    page.keyboard.type("neutral")
    page.fill(".correct-words", "I missed her so much.")
    page.locator(".correction .field", has_text="Your name").locator("input").fill("Ada")
    page.get_by_role("button", name="Save the correction").click()
    page.locator(".correction", has_text="Saved.").wait_for()
    assert answers(page)[2] == "neutral corrected"
    assert "Corrected by Ada." in page.locator(".details").inner_text()

    # exports, read back
    text, name = kept(page, "json")
    assert name == "clip.json"
    [read] = from_json(text)
    assert [p.decided for p in read] == [p.decided for p in timeline]
    assert read[0].probabilities == pytest.approx(timeline[0].probabilities, abs=1e-4)
    text, _ = kept(page, "csv")
    assert [row["decided"] for row in csv.DictReader(text.splitlines())] == [
        p.label for p in timeline
    ]
    text, name = kept(page, "corrected csv")
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    rows = {row.kind: row for row in read_corrections(path)}
    assert (rows["emotion"].old, rows["emotion"].new) == ("sadness", "neutral")
    assert (rows["text"].old, rows["text"].new) == ("I miss her so much.", "I missed her so much.")
    assert {row.annotator for row in rows.values()} == {"Ada"}
    text, name = kept(page, "corrected eaf")
    assert name == "clip.corrected.eaf"
    values = [value.text for value in ET.fromstring(text).iter("ANNOTATION_VALUE")]
    assert "I missed her so much." in values
    assert "neutral" in values
    text, _ = kept(page, "corrected textgrid")
    assert '"I missed her so much."' in text

    # one undo takes back the label and the words that were saved together, also from elsewhere
    page.locator(".block").nth(0).click()
    page.get_by_role("button", name="Undo the last").click()
    page.locator(".correction", has_text="Undone: utterance 3 is as it was before.").wait_for()
    assert page.locator(".utterance.chosen .number").inner_text() == "3"
    assert answers(page)[2].startswith("sadness")
    assert "I miss her so much." in page.locator(".utterance").nth(2).inner_text()
    assert page.get_by_role("button", name="Undo the last").is_disabled()


def corrections(page):
    """The bodies of the corrections that a page sends from now on."""
    sent = []
    page.on(
        "request",
        lambda request: (
            sent.append(request.post_data_json)
            if request.method == "POST" and request.url.endswith("/v1/corrections")
            else None
        ),
    )
    return sent


def opened(page):
    """Drop the example film with its subtitles, and wait for its view."""
    drop(page, CLIP, CLIP.with_suffix(".srt"))
    wait_for_answer(page)


def drafts(page):
    """The numbers of the utterances that are marked as not saved."""
    marked = page.locator(".utterance", has=page.locator(".draft:visible"))
    return marked.locator(".number").all_inner_texts()


def test_a_correction_that_is_not_saved_stays_as_a_marked_draft(home):
    page = home()
    opened(page)
    sent = corrections(page)
    page.locator(".block").nth(1).click()
    page.locator(".correct-words").fill("How dare you!")
    page.locator(".correct-label").select_option("fear")
    assert drafts(page) == ["2"]
    page.locator(".block").nth(2).click()
    assert page.locator(".draft-note").is_hidden()
    page.locator(".correct-words").fill("I missed her.")
    page.locator(".block").nth(1).click()
    assert page.locator(".correct-words").input_value() == "How dare you!"
    assert page.locator(".correct-label").input_value() == "fear"
    page.reload()  # as after a crash; nothing is lost
    wait_for_answer(page)
    assert drafts(page) == ["2", "3"]
    page.locator(".block").nth(1).click()
    page.locator(".draft-note").get_by_text("not saved").wait_for()
    assert page.locator(".correct-words").input_value() == "How dare you!"
    text, _ = kept(page, "corrected csv")
    assert len(text.splitlines()) == 1
    assert "no part of the file: 2, 3." in page.locator(".result .told").inner_text()
    page.get_by_role("button", name="Save the correction").click()
    page.locator(".correction", has_text="Saved.").wait_for()
    assert drafts(page) == ["3"]
    page.locator(".block").nth(2).click()
    page.get_by_role("button", name="Discard it").click()
    assert drafts(page) == []
    assert page.locator(".correct-words").input_value() == "I miss her so much."
    assert [(one["emotion"], one["text"]) for one in sent] == [("fear", "How dare you!")]
    assert page.evaluate("sessionStorage.length") == 0


def test_a_save_without_a_change_is_told_and_not_stored(home):
    page = home()
    opened(page)
    sent = corrections(page)
    page.locator(".block").nth(1).click()
    page.locator(".correct-words").fill("  How dare you,   again! ")
    words = page.locator(".details blockquote").inner_text()
    page.locator(".correct-words").fill(f" {words}  ")  # blanks are no change
    assert drafts(page) == []
    page.get_by_role("button", name="Save the correction").click()
    page.get_by_text("Nothing changed, so nothing was saved.").wait_for()
    assert sent == []
    assert page.get_by_role("button", name="Undo the last").is_disabled()


def test_the_form_of_a_correction_is_in_sight_after_a_click(home):
    page = home()
    opened(page)
    for click in (
        page.locator(".block").nth(1),
        page.locator(".utterance-place").nth(2),
        page.locator("button.badge").nth(1),
    ):
        click.click()
        box = page.locator(".correction .primary").bounding_box()
        assert 0 <= box["y"] <= box["y"] + box["height"] <= 800


def test_back_leads_from_a_recording_to_the_list(home, server):
    page = home()
    opened(page)
    address = page.url
    assert "#recording=" in address
    page.go_back()
    page.locator(".jobs").wait_for()
    page.wait_for_url(server.base)
    page.go_forward()
    wait_for_answer(page)
    page.wait_for_url(address)
    page.get_by_role("button", name="All recordings").click()
    page.locator(".jobs").wait_for()
    page.wait_for_url(server.base)
    page.locator(".job", has_text="clip.mp4").first.get_by_role("button", name="Show").click()
    wait_for_answer(page)
    page.reload()
    wait_for_answer(page)
    assert page.title() == "clip.mp4 – moodal"
    page.get_by_role("button", name="All recordings").click()
    page.locator(".jobs").wait_for()
    page.goto(f"{server.base}#recording=none")
    page.get_by_text("That recording is no longer here").wait_for()
    page.wait_for_url(server.base)


def test_after_a_reload_playing_says_what_is_missing_and_takes_the_file(home):
    page = home()
    opened(page)
    page.reload()
    wait_for_answer(page)
    reason = page.locator(".no-media p")
    assert "choose the file again to play it" in reason.inner_text()
    assert "clip.mp4" in reason.inner_text()
    for button in (
        page.get_by_role("button", name="Play it", exact=True),
        page.locator("[title^='Play or']"),
    ):
        page.locator(".result").focus()
        button.click()
        assert page.evaluate("document.activeElement.type") == "file"
        assert page.evaluate("document.activeElement.getAttribute('aria-describedby')") == (
            reason.get_attribute("id")
        )
    page.set_input_files(".no-media input", str(CLIP))
    page.wait_for_selector(".stage video")
    page.go_back()
    page.locator(".job", has_text="clip.mp4").first.get_by_role("button", name="Show").click()
    page.wait_for_selector(".stage video")  # it is the browser's own copy again


def test_subtitles_alone_have_nothing_to_play(home):
    page = home()
    drop(page, CLIP.with_suffix(".srt"))
    wait_for_answer(page)
    assert page.get_by_role("button", name="Play it", exact=True).count() == 0
    assert page.locator("[title^='Play or']").count() == 0


def copied(tmp_path, **names):
    """Copies of the example film and its subtitles under other names."""
    paths = []
    for kind, name in names.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(CLIP.with_suffix(f".{kind}").read_bytes())
    return paths


def test_subtitles_of_another_name_are_told_and_how_to_pair_them(home, tmp_path):
    page = home()
    drop(page, *copied(tmp_path, mp4="talk.mp4", srt="words.srt"))
    told = page.get_by_text("words.srt became a recording of its own")
    told.wait_for()
    assert "name both files alike (talk.mp4, talk.srt)" in told.inner_text()
    assert page.locator(".job", has_text="words.srt").count() >= 1
    drop(page, *copied(tmp_path, mp4="call.mp4", srt="call.en-GB.srt"))  # a language is no name
    page.wait_for_selector(".view")
    assert page.get_by_text("became a recording").count() == 0


def test_a_text_and_a_picture_take_no_subtitles(home):
    page = home()
    pairs = page.evaluate("""async () => {
      const { paired } = await import("/static/intake.js");
      const named = (...paths) => paired(paths.map((path) => ({ path, file: path })));
      return [named("a.txt", "a.srt"), named("a.png", "a.vtt"), named("a.WAV", "a.SRT", "b.srt")];
    }""")
    assert [[one["subtitles"] for one in some] for some in pairs] == [
        [None, None],
        [None, None],
        ["a.SRT", None],
    ]


@pytest.mark.parametrize("separator", ["; ", "/", " / "])
def test_other_separators_of_emotion_words_are_read(home, separator):
    page = home()
    page.fill("#emotions", separator.join(["joy", "grief", ""]))
    opened(page)
    names = page.locator(".probability .name").all_inner_texts()
    assert names == ["joy", "grief"]
    page.fill("#other-emotions", f"pride{separator}relief")
    page.get_by_role("button", name="Score these words").click()
    page.locator(".probability", has_text="relief").wait_for(timeout=60000)
    assert page.locator(".probability .name").all_inner_texts() == ["pride", "relief"]


def test_no_words_and_nobody_named_are_told_in_words_of_the_page(home):
    page = home()
    page.fill("#emotions", ",,,")
    drop(page, CLIP)
    page.get_by_text("There is no word in the field “Emotions”").wait_for()
    assert page.evaluate("document.activeElement.id") == "emotions"
    page.fill("#emotions", "")
    drop(page, CLIP, CLIP.with_suffix(".srt"))
    wait_for_answer(page)
    assert page.get_by_text("There is no word").count() == 0
    page.fill("#other-emotions", " ; ")
    page.get_by_role("button", name="Score these words").click()
    page.get_by_text("There is no word in the field “Emotion words”").wait_for()
    page.select_option("#export", "rttm")
    page.click("#export-go")
    page.locator(".told .error").get_by_text("Who speaks: tell voices apart").wait_for()
    assert "--" not in page.locator(".told .error").inner_text()


def test_sentences_name_the_fields_of_the_page(home):
    page = home()
    sentences = [
        "Say it with --speakers channels.",
        "Say it with speakers=channels.",
        "Leave the field emotions out.",
        "--asr makes one; a=b.",
    ]
    shown = page.evaluate(
        """async (sentences) => {
          const { inPageWords } = await import("/static/sentences.js");
          return sentences.map(inPageWords);
        }""",
        sentences,
    )
    assert shown[0] == shown[1] == "Say it with “Who speaks: one person per sound channel”."
    assert shown[2:] == ["Leave the field “Emotions” out.", sentences[3]]


def test_a_folder_of_recordings_is_a_list(home, tmp_path, serious_faults):
    for number in range(2):
        seconds = np.arange(24000) / 16000
        sound = 0.2 * np.sin(2 * np.pi * (150 + 50 * number) * seconds)
        soundfile.write(tmp_path / f"call{number}.wav", sound.astype(np.float32), 16000)
        (tmp_path / f"call{number}.srt").write_text(
            f"1\n00:00:00,100 --> 00:00:01,400\nI am so angry with you, {number}!\n"
        )
    page = home()
    drop(page, *sorted(tmp_path.iterdir()))
    for number in range(2):
        row = page.locator(".job", has_text=f"call{number}.wav")
        row.locator(".job-state", has_text="ready").wait_for(timeout=60000)
    page.locator(".job", has_text="call1.wav").get_by_role("button", name="Show").click()
    wait_for_answer(page)
    assert "I am so angry with you, 1!" in page.locator(".utterance").inner_text()
    page.get_by_role("button", name="All recordings").click()
    count = page.locator(".job").count()
    delete = page.locator(".job", has_text="call0.wav").get_by_role("button", name="Delete")
    delete.click()
    dialog = page.get_by_role("alertdialog", name="Delete call0.wav with its answer")
    dialog.wait_for()
    assert page.evaluate("document.activeElement.textContent") == "No, keep it"
    assert serious_faults(page) == []
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert page.evaluate("document.activeElement.textContent") == "Delete"
    assert page.locator(".job").count() == count
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # yes
    page.locator(".job", has_text="call0.wav").wait_for(state="detached")
    page.reload()
    page.locator(".job").first.wait_for()
    assert page.locator(".job").count() == count - 1


def test_to_stop_a_recording_stops_its_upload(home):
    page = home()
    page.wait_for_load_state("networkidle")
    before = page.locator(".job").count()
    page.route("**/v1/jobs", lambda route: None)  # the upload never ends
    drop(page, CLIP)
    stop = page.get_by_role("button", name="Stop")
    stop.wait_for()
    with page.expect_event("requestfailed") as ended:
        stop.click()
    assert ended.value.url.endswith("/v1/jobs")
    assert page.locator(".job").count() == before
    page.unroute("**/v1/jobs")
    drop(page, CLIP)  # what was stopped takes no place of another
    page.wait_for_selector(".job progress", state="attached")
    wait_for_answer(page)


CLOSED = """
  async (id) => {
    const { showJob } = await import("/static/result.js");
    const others = [() => {}, () => {}];
    const job = { id, name: "x", status: "done", answers: [], listeners: new Set(others) };
    const close = await showJob(document.createElement("div"), job);
    close();
    return others.map((other) => job.listeners.has(other));
  }
"""


def test_a_closed_answer_leaves_the_listeners_of_others(home):
    page = home()
    assert page.evaluate(CLOSED, "none") == [True, True]


def test_a_typed_text_is_answered(home):
    page = home()
    page.get_by_text("Or type a text").click()
    page.fill("#typed", "I am so happy today. Leave me alone!")
    page.get_by_role("button", name="Recognise").click()
    wait_for_answer(page)
    assert len(answers(page)) == 2
    assert page.locator(".player").is_hidden()


def test_a_damaged_film_and_a_wrong_word_are_told_in_a_sentence(home, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(CLIP.read_bytes()[:3000])
    page = home()
    drop(page, broken)
    row = page.locator(".job", has_text="broken.mp4")
    row.locator(".job-state.error").wait_for(timeout=60000)
    message = row.locator(".job-state").inner_text()
    assert message.endswith(".")
    assert "broken.mp4" in message
    assert "/" not in message  # no path of the server

    drop(page, CLIP, CLIP.with_suffix(".srt"))
    wait_for_answer(page)
    page.fill("#other-emotions", "happiness, happiness")
    page.get_by_role("button", name="Score these words").click()
    page.locator(".told .error").wait_for(timeout=60000)
    assert "asked for twice: happiness" in page.locator(".told").inner_text()
    assert len(answers(page)) == 3  # the answer is still there


def test_who_is_not_signed_in_reads_what_to_do(server, new_page):
    page = new_page()
    page.goto(server.base)
    body = page.locator("body")
    body.get_by_text(re.compile("address")).first.wait_for()
    assert "one-time address" in body.inner_text() or "address" in body.inner_text()


def test_a_server_that_is_gone_is_told(home, server):
    page = home()
    page.route("**/v1/jobs", lambda route: route.abort())
    drop(page, CLIP)
    row = page.locator(".job", has_text="clip.mp4").first
    row.locator(".job-state.error").wait_for()
    assert "server does not answer" in row.inner_text()


HOSTILE = "<img src=x onerror=window.hacked=1>"


def test_strangers_names_and_words_stay_text(home, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(16000, np.float32), 16000)
    content = base64.b64encode((tmp_path / "a.wav").read_bytes()).decode()
    words = f"1\n00:00:00,100 --> 00:00:00,900\nhello {HOSTILE} <script>window.hacked=2</script>\n"
    subtitles = base64.b64encode(words.encode()).decode()
    page = home()
    page.evaluate(DROP, [[f"{HOSTILE}.wav", content], [f"{HOSTILE}.srt", subtitles]])
    wait_for_answer(page)
    page.wait_for_timeout(300)
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img").count() == 0
    assert HOSTILE in page.locator("h1").nth(1).inner_text()
    page.get_by_role("button", name="All recordings").click()
    assert HOSTILE in page.locator(".jobs").inner_text()
    assert page.locator("main img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_use_it(home, serious_faults, scheme, width):
    page = home(width=width, scheme=scheme)
    page.locator("summary").first.click()
    assert serious_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    drop(page, CLIP, CLIP.with_suffix(".srt"))
    wait_for_answer(page)
    page.locator(".utterance-place").nth(1).click()
    page.wait_for_timeout(200)
    assert serious_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_all_of_it_works_from_the_keyboard(home):
    page = home()
    drop(page, CLIP, CLIP.with_suffix(".srt"))
    wait_for_answer(page)
    page.locator(".result").focus()
    page.keyboard.press("j")
    assert page.locator(".utterance.chosen .number").inner_text() == "2"
    page.keyboard.press("c")
    assert page.evaluate("document.activeElement.className") == "correct-label"
    page.keyboard.press("k")  # typing in a field is no key of the view
    assert page.locator(".utterance.chosen .number").inner_text() == "2"
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.className || document.activeElement.id"))
    assert any("block" in name for name in reached)
    assert "utterance-place" in reached


def test_the_page_asks_nobody_else(server):
    """What the server hands out names no other address; new_page watches the requests, too."""
    for name in ("index.html", "app.js", "styles.css"):
        folder = Path(moodal.__file__).parent
        path = next(
            p for p in (folder / "serve/page" / name, folder / "output/page" / name) if p.exists()
        )
        assert not re.search(r"https?://(?!www\.w3\.org)", path.read_text())


def test_results_are_the_documents_schema(home):
    """What the view read is the same document that programs get."""
    page = home()
    drop(page, CLIP, CLIP.with_suffix(".srt"))
    wait_for_answer(page)
    document = json.loads(kept(page, "json")[0])
    assert document["schema"] == "moodal-timeline/1"
    assert {"waveform", "face_places", "remarks"} <= set(document["recordings"][0])
