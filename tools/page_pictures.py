"""Make the pictures of reports and of the server's page that the guide shows.

    python tools/page_pictures.py docs/images

Needs Chromium and the extra `dev`. A server is started for it, and ended.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
CLIP = ROOT / "examples" / "clip.mp4"
CHROMIUM = Path("/usr/bin/chromium")
SIZES = {"": (1280, 1010), "-tall": (1280, 1235), "-phone": (390, 844)}


def moodal(*arguments: str) -> None:
    """Run the command line."""
    subprocess.run([sys.executable, "-m", "moodal", *arguments], cwd=ROOT, check=True)


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Start a server, and give its one-time address."""
    command = [sys.executable, "-m", "moodal", "serve", "--no-browser", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--data", str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if found := re.search(r"http\S+\?key=\S+", line):
                yield found[0]
                return
    finally:
        process.terminate()
        process.wait()


def save(page: Any, path: Path, *, width: int = 900) -> None:
    """Save what a page shows as a small picture."""
    picture = Image.open(io.BytesIO(page.screenshot()))
    if picture.width > width:
        picture = picture.resize(
            (width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS
        )
    picture.convert("RGB").save(path, quality=90, method=6)
    print(f"Written: {path} ({path.stat().st_size >> 10} KiB)")


def open_page(browser: Any, address: str, size: str, scheme: str, **more: Any) -> Any:
    """Open an address at a size, light or dark."""
    width, height = SIZES[size]
    viewport = {"width": width, "height": height}
    page = browser.new_context(viewport=viewport, color_scheme=scheme, **more).new_page()
    page.goto(address)
    return page


def reports(browser: Any, out: Path, folder: Path) -> None:
    """Make the pictures of reports."""
    moodal("report", str(CLIP), "--out", str(folder / "report.html"))
    for scheme in ("light", "dark"):
        page = open_page(browser, (folder / "report.html").as_uri(), "", scheme)
        page.wait_for_selector(".stage video")
        page.wait_for_timeout(800)
        page.locator(".block").nth(1).click()
        page.wait_for_timeout(800)
        save(page, out / f"report-{scheme}.webp")


def studies(browser: Any, out: Path, folder: Path) -> None:
    """Make the picture of a made-up study of twelve participants in two conditions."""
    import random

    import moodal as library
    from moodal.core.timeline import Timeline
    from moodal.output.formats import to_json

    model, draw = library.load(), random.Random(1)
    calm = ("The weather is fine today.", "We talked about the train.", "I am glad that you came.")
    loud = ("Leave me alone!", "I hate this noise!", "What a terrible, awful day.")
    rows, timelines = ["recording,participant,condition"], list[Timeline]()
    for number in range(12):
        for condition, sentences in (("calm", calm), ("loud", loud)):
            name = f"p{number:02d}-{condition}.txt"
            rows.append(f"{name},P{number:02d},{condition}")
            if name != "p03-loud.txt":
                said = " ".join(draw.sample((*sentences, draw.choice(calm + loud)), 3))
                timelines.append(model.predict(text=said, name=name))
    (folder / "design.csv").write_text("\n".join(rows) + "\n")
    (folder / "study.json").write_text(to_json(timelines), encoding="utf-8")
    page = folder / "study.html"
    moodal(
        "report",
        str(folder / "study.json"),
        "--design",
        str(folder / "design.csv"),
        "--out",
        str(page),
    )
    shown = open_page(browser, page.as_uri(), "", "light")
    shown.wait_for_timeout(500)
    save(shown, out / "study-light.webp")


def pages(browser: Any, out: Path, address: str) -> None:
    """Make the pictures of the server's page."""
    first = open_page(browser, address, "", "light")
    first.wait_for_selector("#files", state="attached")
    state, base = first.context.storage_state(), address.partition("?")[0]
    for size, scheme in (
        ("-tall", "light"),
        ("-tall", "dark"),
        ("-phone", "light"),
        ("-phone", "dark"),
    ):
        page = open_page(browser, base, size, scheme, storage_state=state)
        page.wait_for_selector("#files", state="attached")
        if size == "-tall":
            save(page, out / f"home-{scheme}.webp")
        page.set_input_files("#files", [str(CLIP), str(CLIP.with_suffix(".srt"))])
        page.wait_for_selector("#export-go:not([disabled])", timeout=60000)
        page.wait_for_timeout(800)
        page.locator(".block").nth(1).click()
        page.wait_for_timeout(800)
        page.evaluate("scrollTo(0, 0)")
        save(page, out / f"page{size.replace('-tall', '')}-{scheme}.webp")
        page.context.close()


def devices(folder: Path) -> list[str]:
    """Write the example film as a microphone and a camera; return Chromium's arguments."""
    with av.open(str(CLIP)) as film:
        resampler = av.AudioResampler("s16", "mono", 48000)
        frames = (f for frame in film.decode(audio=0) for f in resampler.resample(frame))
        sound = np.concatenate([f.to_ndarray()[0] for f in frames])
    soundfile.write(folder / "microphone.wav", sound, 48000)
    camera = folder / "camera.mjpeg"
    with av.open(str(CLIP)) as film, av.open(str(camera), "w", format="mjpeg") as out:
        stream = None
        for frame in film.decode(video=0):
            if stream is None:
                stream = out.add_stream("mjpeg", rate=25)
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuvj420p"
            out.mux(stream.encode(frame.reformat(format="yuvj420p")))
        out.mux(stream.encode() if stream else [])
    return [
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={folder / 'microphone.wav'}",
        f"--use-file-for-fake-video-capture={camera}",
    ]


def live(browser: Any, out: Path, address: str) -> None:
    """Make the picture of a live recording."""
    page = open_page(browser, address, "", "dark")
    page.wait_for_selector("#files", state="attached")
    page.check("#agreed")
    page.click("#record")
    page.wait_for_selector(".utterance", timeout=120000)
    page.wait_for_timeout(500)
    save(page, out / "live-dark.webp")
    page.context.close()


def main() -> None:
    """Make all pictures."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    executable = str(CHROMIUM) if CHROMIUM.exists() else None
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=executable, args=devices(folder))
        reports(browser, out, folder)
        studies(browser, out, folder)
        with server(folder / "data") as address:
            pages(browser, out, address)
        with server(folder / "live") as address:
            live(browser, out, address)
        browser.close()


if __name__ == "__main__":
    main()
