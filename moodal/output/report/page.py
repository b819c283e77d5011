"""The HTML of a report: scripts, styles and data in one file, behind a strict policy."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moodal.core.timeline import Timeline
from moodal.core.version import __version__
from moodal.output.formats import to_json
from moodal.output.report.assets import asset, joined


@dataclass(frozen=True)
class EmbeddedMedia:
    """A recording that is a part of the page.

    Attributes:
        type: its media type, such as "video/mp4".
        content: the file.
    """

    type: str
    content: bytes


@dataclass(frozen=True)
class ReportMedia:
    """The recordings of a report, linked or embedded.

    Attributes:
        links: number of the recording -> its address, relative to the page.
        embedded: number of the recording -> the recording itself.
    """

    links: Mapping[int, str] = field(default_factory=dict)
    embedded: Mapping[int, EmbeddedMedia] = field(default_factory=dict)


def report_html(
    timelines: Sequence[Timeline],
    media: ReportMedia = ReportMedia(),
    study: Mapping[str, Any] | None = None,
) -> str:
    """Return the report of recordings as one HTML document.

    It runs the scripts that it holds and no other, loads nothing but the linked recordings, and
    sends nothing. What strangers wrote stays text: it is in blocks of JSON that no text can end.

    Args:
        timelines: one or several; their thumbnails are not a part of the report.
        media: where the recordings are; without any, readers choose a file of their own.
        study: the result of a study as JSON-ready data, see `moodal.evaluation.study`.
    """
    scripts = [asset("vendor/uPlot.iife.min.js"), joined("report.js")]
    styles = [asset("vendor/uPlot.min.css"), asset("styles.css")]
    links = [media.links.get(i) for i in range(len(timelines))]
    title = timelines[0].path if len(timelines) == 1 else f"{len(timelines)} recordings"
    data = {
        "texts": json.loads(asset("texts.en.json")),
        "timelines": json.loads(to_json(timelines)),
        "links": links,
        "study": study,
        "about": {"version": __version__},
    }
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts, styles)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            '<link rel="icon" href="data:,">',
            f"<title>{html.escape(title)} · moodal</title>",
            *(f"<style>{style}</style>" for style in styles),
            "</head>",
            "<body>",
            '<main class="page" id="report"></main>',
            "<noscript>This report is drawn by the script that it holds; allow scripts for it, or "
            "read the answers with moodal predict.</noscript>",
            *(_data(name, content) for name, content in data.items() if content is not None),
            *_embedded(media.embedded),
            f"<script>{scripts[0]}</script>",
            f'<script type="module">{scripts[1]}</script>',
            "</body>",
            "</html>",
            "",
        ]
    )


def _policy(scripts: Sequence[str], styles: Sequence[str]) -> str:
    """Return the content security policy: these scripts and styles alone, by their digests."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(_digest, scripts))}",
            f"style-src {' '.join(map(_digest, styles))}",
            "img-src 'self' file: data: blob:",
            "media-src 'self' file: data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _data(name: str, content: Any) -> str:
    """Return a block of JSON that no text in it can end, since it holds no "<"."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    escaped = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f'<script type="application/json" id="{name}">{escaped}</script>'


def _embedded(media: Mapping[int, EmbeddedMedia]) -> Iterator[str]:
    for number, one in media.items():
        content = base64.b64encode(one.content).decode("ascii")
        kind = html.escape(one.type)
        yield (
            f'<script type="application/octet-stream" id="media-{number}" data-type="{kind}">'
            f"{content}</script>"
        )
