"""The page of a report in a browser: it plays, seeks and zooms, and strangers' words stay text."""

from __future__ import annotations

import dataclasses
import re
import time
from pathlib import Path

import pytest

from moodal.core.errors import DataError
from moodal.core.face_action import FacePlace
from moodal.output.report.media import embedded, linked
from moodal.output.report.page import ReportMedia, report_html

CLIP = Path(__file__).parents[3] / "examples" / "clip.mp4"
HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=2>\u202e"


@pytest.fixture
def shown(tmp_path, new_page):
    """Return a function that writes a report and opens it: shown(timelines, ...) -> Page."""

    def show(timelines, *, media=None, study=None, **page_options):
        path = tmp_path / "report.html"
        media = media or ReportMedia()
        path.write_text(report_html(timelines, media, study), encoding="utf-8")
        page = new_page(**page_options)
        page.goto(path.as_uri())
        page.wait_for_selector(".view")
        return page

    return show


@pytest.fixture
def film(made):
    """A film of five utterances whose file is the example clip, with a face in its pictures."""
    places = tuple(FacePlace(k / 5, 1, 0.3, 0.2, 0.3, 0.5) for k in range(30))
    return dataclasses.replace(made.timeline(str(CLIP)), face_places=places)


def persons(timeline):
    """The same recording, in which Anna and Ben take turns."""
    predictions = []
    for i, p in enumerate(timeline):
        name = ("Anna", "Ben")[i % 2]
        slices = tuple(dataclasses.replace(s, person=name, track=i % 2) for s in p.slices)
        predictions.append(dataclasses.replace(p, person=name, track=i % 2, slices=slices))
    return dataclasses.replace(timeline, predictions=tuple(predictions))


def until(page, condition, seconds=15.0):
    """Wait for a condition; Playwright's own waiting needs eval, which the page's policy bars."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        time.sleep(0.05)


def with_link(timeline, page):
    return ReportMedia(links=linked({0: Path(timeline.path)}, page))


def test_the_page_says_what_the_timeline_says(made, shown):
    timeline = made.timeline()
    page = shown([timeline])
    rows = page.locator(".utterance").all_inner_texts()
    assert len(rows) == len(timeline)
    for row, p in zip(rows, timeline, strict=True):
        percent = f"{p.shown_emotion} {100 * p.probabilities[p.shown_emotion]:.0f} %"
        assert (percent if p.decided else f"unsure ({percent})") in row
        assert " ".join(p.text.split()) in " ".join(row.split())
    notes = page.locator(".notes").inner_text()
    assert "The transcript was made by Whisper tiny.en and may be wrong." in notes
    assert "must not be used for" in notes
    page.locator(".block").nth(3).click()
    details = page.locator(".details").inner_text()
    assert "not used: no face" in details
    share = timeline[3].shares["text"][timeline[3].shown_emotion]
    assert f"{abs(share):.1f}" in details


def test_a_click_seeks_and_keys_play(film, shown, tmp_path):
    page = shown([film], media=with_link(film, tmp_path / "report.html"))
    until(page, "document.querySelector('video').readyState > 0")
    page.locator(".block").nth(1).click()
    second = page.evaluate("document.querySelector('video').currentTime")
    assert second == pytest.approx(film[1].start, abs=0.01)
    assert page.locator(".utterance.chosen").inner_text().startswith("2")
    page.keyboard.press("k")
    assert page.locator(".utterance.chosen").inner_text().startswith("1")
    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    second = page.evaluate("document.querySelector('video').currentTime")
    assert second == pytest.approx(film[0].start + 2, abs=0.05)
    page.evaluate("document.querySelector('video').muted = true")
    page.keyboard.press(" ")
    until(page, f"document.querySelector('video').currentTime > {film[0].start + 2.2}")
    page.keyboard.press(" ")
    assert page.evaluate("document.querySelector('video').paused")


def test_zoom_shows_less_and_all_again(film, shown):
    page = shown([film])
    wide = page.locator(".block").first.bounding_box()["width"]
    page.locator(".block").first.click()
    page.keyboard.press("+")
    page.wait_for_timeout(200)
    assert page.locator(".block").first.bounding_box()["width"] > 1.5 * wide
    assert page.locator(".block").last.is_hidden()
    page.keyboard.press("0")
    page.wait_for_timeout(200)
    assert page.locator(".block").first.bounding_box()["width"] == pytest.approx(wide, abs=2)


def test_a_box_is_drawn_around_the_face(film, shown, tmp_path):
    page = shown([film], media=with_link(film, tmp_path / "report.html"))
    until(page, "document.querySelector('video').readyState > 1")
    page.locator(".block").first.click()
    page.wait_for_timeout(300)
    drawn = page.evaluate(
        """() => {
          const canvas = document.querySelector(".boxes");
          const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
          return data.filter((value, i) => i % 4 === 3 && value > 0).length;
        }"""
    )
    assert drawn > 500


def test_strangers_words_and_names_stay_text(made, shown):
    first = dataclasses.replace(made.timeline()[0], text=HOSTILE, words=(), speaker=HOSTILE)
    timeline = made.timeline(f"{HOSTILE}.mp4")
    timeline = dataclasses.replace(
        timeline, predictions=(first, *timeline[1:]), notes=(HOSTILE,), emotions=timeline.emotions
    )
    page = shown([timeline, timeline])
    page.wait_for_timeout(300)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0
    assert "onerror=window.hacked=2" in page.locator(".utterance").first.inner_text()
    assert "<script>" in page.locator(".notes").inner_text()


def test_the_policy_lets_no_other_script_run(made, shown):
    page = shown([made.timeline()])
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.hacked = 1";
          document.body.append(script);
          document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.hacked = 2'>");
        }"""
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    refused = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')")
    assert refused == "refused"


def test_the_recording_is_inside_only_if_asked(film, shown, made):
    without = report_html([film])
    assert 'id="media-0"' not in without
    assert "thumbnail" not in without
    page = shown([film], media=ReportMedia(embedded=embedded({0: CLIP})))
    until(page, "document.querySelector('video')?.readyState > 0")
    assert page.evaluate("document.querySelector('video').src").startswith("blob:")
    assert page.evaluate("document.querySelector('video').videoWidth") > 0


def test_a_recording_that_is_gone_can_be_chosen(film, shown):
    page = shown([film], media=ReportMedia(links={0: "gone/clip.mp4"}))
    page.wait_for_selector(".no-media")
    assert "clip.mp4 was not found beside this page" in page.locator(".no-media").inner_text()
    page.set_input_files(".choose input", str(CLIP))
    until(page, "document.querySelector('video')?.readyState > 0")


def test_texts_and_pictures_without_times_have_lanes(made, shown):
    page = shown([made.text_timeline()])
    assert page.locator(".block").count() == 5
    assert page.locator(".player").is_hidden()
    assert page.locator(".now").count() == 0
    page.locator(".block").nth(2).click()
    assert "Utterance 3" in page.locator(".details").inner_text()


def test_persons_have_lanes_of_their_own(made, shown):
    timeline = persons(made.timeline())
    names = timeline.persons
    assert names == ("Anna", "Ben")
    page = shown([timeline])
    lanes = [name.strip() for name in page.locator(".decided .track-name").all_inner_texts()]
    assert lanes == list(names)


def test_values_have_curves_and_no_correction(made, shown):
    page = shown([made.valued(made.timeline())])
    assert "valence" in page.locator(".curves").inner_text()
    assert page.locator(".u-over").count() == 1
    assert page.locator(".probability").count() == 0
    assert "of 0 to 4" in page.locator(".details").inner_text()


def test_slices_stand_in_the_lanes(made, shown):
    timeline = made.sliced()
    page = shown([timeline])
    assert page.locator(".block").count() == len(timeline.rows)
    assert page.locator(".utterance").count() == len(timeline)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_read_it(made, shown, serious_faults, scheme, width):
    timeline = persons(made.sliced())
    page = shown([timeline, made.timeline()], study=STUDY, width=width, scheme=scheme)
    page.wait_for_timeout(300)
    assert serious_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


STUDY = {
    "measures": [
        {
            "name": "p_anger",
            "label": "probability of anger",
            "kind": "probability",
            "low": 0,
            "high": 1,
        }
    ],
    "conditions": [
        {
            "condition": "calm",
            "measure": "p_anger",
            "participants": 12,
            "mean": 0.2,
            "low": 0.1,
            "high": 0.3,
        },
        {
            "condition": "loud",
            "measure": "p_anger",
            "participants": 11,
            "mean": 0.5,
            "low": None,
            "high": None,
        },
    ],
    "contrasts": [
        {
            "first": "calm",
            "second": "loud",
            "measure": "p_anger",
            "participants": 11,
            "difference": 0.3,
            "low": 0.1,
            "high": 0.45,
            "paired": True,
        }
    ],
    "missing": [
        {"recording": "p03.wav", "reason": "not given", "participant": "P3", "condition": "loud"}
    ],
    "counts": {"participants": 12, "recordings": 23, "conditions": 2, "missing": 1},
    "notes": ["P3 has not every condition."],
}


def test_a_study_is_told_in_tables_and_prints(made, shown):
    page = shown([made.timeline()], study=STUDY)
    study = page.locator(".study").inner_text()
    assert "12 participants · 23 recordings · 2 conditions · 1 missing" in study
    assert re.search(r"loud\s+11\s+0.500\s+–", study)
    assert re.search(r"loud − calm\s+11\s+\+0.300\s+\+0.100 … \+0.450", study)
    assert "p03.wav, P3, loud, not given" in study
    page.emulate_media(media="print")
    assert page.locator(".study-table").first.is_visible()
    assert page.locator(".player").is_hidden()
    assert page.locator(".tool").first.is_hidden()


def test_a_notebook_holds_the_recording_and_no_other_file(made, tmp_path):
    secret = tmp_path / "secret.mp4"
    secret.write_text("canary-of-a-secret")
    with pytest.raises(DataError, match="holds no sound, film or picture"):
        made.timeline(str(secret)).show(embed=True)
    with pytest.raises(DataError, match="cannot be embedded"):
        made.timeline(str(tmp_path / "gone.mp4")).show(embed=True)
    assert 'id="media-0" data-type="video/mp4"' in made.timeline(str(CLIP)).show(embed=True).page


def test_a_notebook_shows_the_same_page(made, new_page, tmp_path):
    view = made.timeline().show()
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><p>cell</p>{view._repr_html_()}", encoding="utf-8")
    page = new_page()
    page.goto(path.as_uri())
    frame = page.frame_locator("iframe")
    assert (
        frame.locator(".utterance").count() == 5 or frame.locator(".utterance").first.inner_text()
    )
    frame.locator(".block").nth(1).click()
    assert "Utterance 2" in frame.locator(".details").inner_text()
