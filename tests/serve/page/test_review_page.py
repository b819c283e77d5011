"""The review's page in Chromium: keys, undo, blind decisions, playing, and strange words."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from moodal.core.correction import read_corrections
from moodal.output.formats import write

sync_api = pytest.importorskip("playwright.sync_api")
ROOT = Path(__file__).parents[3]
CLIP = ROOT / "examples" / "clip.mp4"
EVIL = '<img src=x onerror="document.title=1">'


@pytest.fixture
def folder(made, tmp_path):
    """Results of a clip that is there, one of whose utterances has markup in its words."""
    shutil.copy(CLIP, tmp_path / "clip.mp4")
    whole = made.timeline(path="clip.mp4")
    rows = list(whole)
    rows[0] = dataclasses.replace(rows[0], text=EVIL, words=(), id=f"clip.mp4#{EVIL}")
    write(dataclasses.replace(whole, predictions=tuple(rows)), "json", tmp_path / "clip.json")
    return tmp_path


@pytest.fixture
def opened(chromium, folder):
    """Return a function that starts a review with options and opens its page."""
    running = []

    def opening(*options, **view):
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "moodal", "review", str(folder), "--port", "0"),
                *(*options, "--no-browser", "--annotator", "ann"),
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        running.append(process)
        lines = iter(process.stdout.readline, "")
        address = next(m[0] for line in lines if (m := re.search(r"http://\S+", line)))
        page = chromium.new_context(**view).new_page()
        page.goto(address)
        page.wait_for_selector("#answer")
        return page

    yield opening
    for process in running:
        process.terminate()
        process.wait(20)


def rows(folder):
    path = folder / "corrections.csv"
    return [(r.id, r.kind, r.new) for r in read_corrections(path)] if path.exists() else []


def until(page, id, words):
    """Wait until an element says these words."""
    page.wait_for_function(
        "([id, words]) => document.getElementById(id).textContent.includes(words)", arg=[id, words]
    )


def shown(page):
    return page.locator("section").get_attribute("aria-label")


def test_keys_decide_undo_and_go_on(opened, folder):
    page = opened()
    first = shown(page)
    assert first == "clip.mp4#2"  # the model abstained
    page.keyboard.press("3")
    page.wait_for_function(
        "() => document.getElementById('count').textContent.startsWith('1 of 5')"
    )
    second = shown(page)
    assert second != first
    assert rows(folder) == [(first, "emotion", "fear")]
    page.keyboard.press("Enter")
    page.wait_for_function(
        "() => document.getElementById('count').textContent.startsWith('2 of 5')"
    )
    assert len(rows(folder)) == 2  # to agree is a decision, too
    page.keyboard.press("z")
    page.wait_for_function(
        "() => document.getElementById('count').textContent.startsWith('1 of 5')"
    )
    assert shown(page) == second
    page.keyboard.press("ArrowLeft")
    assert page.locator("[aria-pressed=true]").get_attribute("data-emotion") == "fear"
    page.keyboard.press("u")
    until(page, "message", "Kept: cannot tell.")
    assert rows(folder)[-1] == (first, "emotion", "unsure")


def test_quick_keys_decide_nothing_unseen_and_lose_nothing(opened, folder):
    """A key that is pressed while a decision is being kept is not meant for the next utterance."""
    page = opened()
    held = []
    page.route("**/v1/corrections", lambda route: held.append(route))
    for _ in range(3):
        page.keyboard.press("1")
    page.wait_for_timeout(500)
    [sent] = held
    sent.continue_()
    until(page, "count", "1 of")
    page.wait_for_timeout(500)
    assert rows(folder) == [("clip.mp4#2", "emotion", "anger")]


def test_words_that_are_not_kept_stay_as_a_draft(opened, folder):
    page = opened()
    first = shown(page)
    page.keyboard.press("t")
    page.locator("#edit").fill("I typed this.")
    page.locator("#draft").get_by_text("not saved").wait_for()
    page.locator("#next").click()
    page.wait_for_function(f"() => document.querySelector('section').ariaLabel !== '{first}'")
    assert rows(folder) == []
    page.reload()  # as after a crash
    page.locator("#edit, #drafts").first.wait_for()
    page.locator("#previous").click() if shown(page) != first else None
    assert page.locator("#edit").input_value() == "I typed this."
    page.locator("#next").click()
    page.locator("#drafts").get_by_role("button", name=first).click()
    page.locator("#edit").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#words")
    assert rows(folder) == [(first, "text", "I typed this.")]
    assert page.locator("#drafts").count() == 0


def test_a_decision_that_changes_nothing_is_told_and_not_stored(opened, folder):
    page = opened()
    first = shown(page)
    page.keyboard.press("3")
    until(page, "count", "1 of")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(f"() => document.querySelector('section').ariaLabel === '{first}'")
    page.keyboard.press("3")
    until(page, "message", "Nothing changed: it was fear already.")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("t")
    page.keyboard.press("Enter")
    page.wait_for_selector("#words")  # the field is closed once the server has kept the words
    words = page.locator("#words").text_content().strip().strip("“”")
    assert page.locator("#message").text_content() == f"Nothing changed: it was {words} already."
    assert rows(folder) == [(first, "emotion", "fear")]
    page.keyboard.press("z")
    until(page, "count", "0 of")
    assert rows(folder) == []


def test_words_are_corrected_and_markup_is_text(opened, folder):
    page = opened()
    for _ in range(5):
        if EVIL in shown(page):
            break
        page.keyboard.press("ArrowRight")
    assert page.locator("#words").text_content().strip().strip("“”") == EVIL
    assert page.locator("#words img").count() == 0
    assert page.title() == "moodal: review"
    page.keyboard.press("t")
    page.locator("#edit").fill("I told you, 1 2 3.")
    page.keyboard.press("Enter")
    page.wait_for_selector("#words")
    assert "I told you, 1 2 3." in page.locator("#words").text_content()
    assert rows(folder) == [(f"clip.mp4#{EVIL}", "text", "I told you, 1 2 3.")]


def test_a_blind_page_shows_the_answer_after_the_decision(opened, folder):
    page = opened("--blind")
    assert "hidden until you decide" in page.locator("#answer").text_content()
    assert page.locator(".percent").all_text_contents() == [""] * 8
    page.keyboard.press("Enter")  # there is nothing to agree with
    page.wait_for_timeout(200)
    assert rows(folder) == []
    page.keyboard.press("1")
    page.wait_for_function(
        "() => document.getElementById('message').textContent.includes('The model')"
    )
    assert "cannot tell" in page.locator("#message").text_content()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('section').ariaLabel !== 'clip.mp4#2'")
    assert page.locator(".percent").all_text_contents() == [""] * 8


def test_the_part_of_the_recording_is_played_and_stops(opened, folder):
    page = opened("--order", "time")
    page.keyboard.press(" ")
    page.wait_for_function(
        "() => (m => m && !m.paused && m.currentTime > 0.3)(document.getElementById('media'))"
    )
    start = page.evaluate("() => document.getElementById('media').currentTime")
    assert start < 4.5
    page.wait_for_function("() => document.getElementById('media').paused", timeout=15000)
    end = page.evaluate("() => document.getElementById('media').currentTime")
    assert 3.5 < end < 4.9  # the utterance ends at 4.1 s
    part = page.evaluate(
        "() => fetch('/v1/review/media/0', {headers: {range: 'bytes=0-9'}})"
        ".then(async r => [r.status, (await r.arrayBuffer()).byteLength])"
    )
    assert part == [206, 10]


@pytest.mark.parametrize("view", [{}, {"viewport": {"width": 380, "height": 800}}])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_has_no_serious_fault_of_accessibility(opened, view, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(color_scheme=scheme, **view)
    faults = [v for v in axe.run(page).response["violations"] if v["impact"] in SERIOUS]
    assert [f["id"] for f in faults] == []
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


SERIOUS = ("serious", "critical")
