"""The guide as a site: built strictly, every link leads somewhere, nothing is loaded from afar."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("mkdocs")
pytest.importorskip("material")
pytest.importorskip("mkdocstrings")

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}


def build(root: Path, site: Path) -> subprocess.CompletedProcess:
    """Run mkdocs, not quietly: then its warnings would not count as errors."""
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(site)]
    return subprocess.run(command, cwd=root, env=ENVIRONMENT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Page(HTMLParser):
    """The addresses of a page.

    Attributes:
        links: those that a reader may follow.
        loaded: those that a browser fetches by itself.
        anchors: the names of places on the page.
    """

    def __init__(self, path: Path):
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        elif tag == "link" and values.get("rel") not in ("canonical", "next", "prev"):
            self.loaded.append(values["href"])
        elif values.get("src"):
            self.loaded.append(values["src"])


def test_every_link_leads_somewhere(site):
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 50
    broken = []
    for path, page in pages.items():
        if path.name == "404.html":
            continue
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[target].anchors if target in pages else set()
            if not target.exists() or (
                parts.fragment and unquote(parts.fragment) not in anchors | {"__top"}
            ):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert not broken


def test_nothing_is_loaded_from_elsewhere(site):
    elsewhere = [
        f"{path.name}: {address}"
        for path in site.rglob("*.html")
        for address in Page(path).loaded
        if urlsplit(address).netloc
    ]
    assert not elsewhere
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.findall(r"url\(['\"]?(?:https?:)?//", styles)
    assert "fonts.googleapis" not in "".join(p.read_text("utf-8") for p in site.rglob("*.html"))


def test_pages_of_the_interface_have_their_functions(site):
    assert 'id="moodal.load"' in (site / "api" / "index.html").read_text(encoding="utf-8")
    train = (site / "api" / "train.html").read_text(encoding="utf-8")
    assert 'id="moodal.train.experiment.train.train"' in train


def test_the_gallery_shows_every_kind_of_picture(site):
    page = Page(site / "gallery.html")
    shown = {Path(address).name for address in page.loaded if address.startswith("images/")}
    assert {"timeline.png", "page-light.webp", "report-light.webp", "review.png"} <= shown


@pytest.mark.parametrize("link", ["nowhere.md", "../moodal/nowhere.py", "predict.md#nowhere"])
def test_a_link_to_nowhere_stops_the_build(tmp_path, link):
    ignored = shutil.ignore_patterns(".git", "*.onnx", "*.safetensors", "compatibility", "golden")
    for name in ("docs", "moodal", "tools", "artefacts", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for path in ROOT.glob("*.md"):
        shutil.copy(path, tmp_path)
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    page = tmp_path / "docs" / "hume.md"
    page.write_text(f"{page.read_text('utf-8')}\n[a link]({link})\n", encoding="utf-8")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    assert "nowhere" in done.stdout + done.stderr
