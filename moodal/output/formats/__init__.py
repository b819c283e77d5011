"""File formats of timelines: the table FORMATS of name -> Format, and `write`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from moodal.core.errors import UsageError
from moodal.core.files import replacing
from moodal.core.timeline import Timeline
from moodal.output.formats import timed
from moodal.output.formats.csv_ import to_csv, to_summary_csv
from moodal.output.formats.eaf import to_eaf
from moodal.output.formats.hume import to_hume
from moodal.output.formats.json_ import from_json, json_line, to_json
from moodal.output.formats.jsonl import from_jsonl, to_jsonl
from moodal.output.formats.rttm import to_rttm
from moodal.output.formats.srt import OWN, to_srt
from moodal.output.formats.textgrid import to_textgrid

__all__ = ["FORMATS", "Format", "from_json", "from_jsonl", "json_line", "render", "write"]


@dataclass(frozen=True)
class Format:
    """A file format of timelines.

    Attributes:
        render: converts timelines to the file's text (UTF-8).
        ending: of a file in a folder that `write` fills.
        several: whether a file holds several recordings; if not, each needs its own file.
        summary: converts timelines to a file that sums up each recording; None: there is none.
    """

    render: Callable[[Sequence[Timeline]], str]
    ending: str
    several: bool = False
    summary: Callable[[Sequence[Timeline]], str] | None = None


FORMATS: dict[str, Format] = {
    "json": Format(to_json, ".json", several=True),
    "jsonl": Format(to_jsonl, ".jsonl", several=True),
    "csv": Format(to_csv, ".csv", several=True, summary=to_summary_csv),
    "srt": Format(to_srt, OWN),  # ".srt" would be taken for a transcript
    "textgrid": Format(to_textgrid, ".TextGrid"),
    "eaf": Format(to_eaf, ".eaf"),
    "rttm": Format(to_rttm, ".rttm", several=True),
    "hume": Format(to_hume, ".hume.json", several=True),
}
"""Name -> format; `moodal predict --format` offers these."""


def render(timelines: Sequence[Timeline], format: str, *, summary: bool = False) -> str:
    """Return the text of one file; with ``summary``, of the recordings as a whole.

    Raises:
        UsageError: there is no such format, the format holds one recording and there are several,
            or it needs times and a recording has none.
    """
    return _renderer(format, summary)(timelines)


def _renderer(name: str, summary: bool) -> Callable[[Sequence[Timeline]], str]:
    """Return what converts timelines, or sums them up, in the format of a name."""
    chosen = _format(name)
    if not summary:
        return chosen.render
    if chosen.summary is None:
        known = ", ".join(n for n, one in FORMATS.items() if one.summary)
        raise UsageError(f"There is no summary in {name}; the formats with one are {known}.")
    return chosen.summary


def write(
    timelines: Sequence[Timeline], format: str, out: Path | str, *, summary: bool = False
) -> list[Path]:
    """Write timelines to files, each of them atomically, and return the files' paths.

    Args:
        timelines: one or several.
        format: a key of `FORMATS`.
        out: a file; or a folder (an existing one, or a name that ends with "/"), which gets a
            file per recording, named after it.
        summary: whether the recordings as a whole are written, in a format that has a summary.

    Raises:
        UsageError: there is no such format; there are several recordings for a file that holds
            one; a file would overwrite its recording; recordings have no times (all others are
            written first).
        OutputError: a file cannot be written.
    """
    several = [timelines] if isinstance(timelines, Timeline) else list(timelines)
    chosen, render_file = _format(format), _renderer(format, summary)
    folder = Path(out)
    if not (folder.is_dir() or str(out).endswith(("/", "\\"))):
        _put(render_file(several), folder, several)
        return [folder]
    written, refused = [], []
    for timeline, name in zip(several, timed.distinct_names(several), strict=True):
        path = folder / f"{name}{chosen.ending}"
        try:
            text = render_file([timeline])
            _put(text, path, [timeline])
        except UsageError as error:
            refused.append(str(error))
        else:
            written.append(path)
    if refused:
        more = f" The same holds for {len(refused) - 1} more." if len(refused) > 1 else ""
        raise UsageError(refused[0] + more)
    return written


def _format(name: str) -> Format:
    """Return the format of a name.

    Raises:
        UsageError: there is no such format.
    """
    if name not in FORMATS:
        raise UsageError(f"There is no format {name!r}; there are {', '.join(FORMATS)}.")
    return FORMATS[name]


def _put(text: str, path: Path, timelines: Sequence[Timeline]) -> None:
    for timeline in timelines:
        if timeline.path not in ("", "-") and Path(timeline.path).resolve() == path.resolve():
            raise UsageError(f"{path} is the recording itself; choose another folder or name.")
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
