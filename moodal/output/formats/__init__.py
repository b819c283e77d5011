"""File formats of timelines: the table FORMATS of name -> function, and `write`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

from moodal.core.errors import UsageError
from moodal.core.files import replacing
from moodal.core.timeline import Timeline
from moodal.output.formats.csv_ import to_csv, to_summary_csv
from moodal.output.formats.eaf import to_eaf
from moodal.output.formats.json_ import from_json, to_json
from moodal.output.formats.srt import OWN, to_srt
from moodal.output.formats.textgrid import to_textgrid

__all__ = ["ENDINGS", "FORMATS", "SEVERAL", "SUMMARIES", "from_json", "render", "write"]

FORMATS: dict[str, Callable[[Sequence[Timeline]], str]] = {
    "json": to_json,
    "csv": to_csv,
    "srt": to_srt,
    "textgrid": to_textgrid,
    "eaf": to_eaf,
}
"""Name -> function from timelines to the file's text (UTF-8)."""

SUMMARIES: dict[str, Callable[[Sequence[Timeline]], str]] = {"csv": to_summary_csv}
"""Name -> function to the text of a file that sums up each recording."""

SEVERAL = frozenset({"json", "csv"})
"""The formats whose files hold several recordings; the others need a file per recording."""

ENDINGS = {
    "json": ".json",
    "csv": ".csv",
    "srt": ".srt",
    "textgrid": ".TextGrid",
    "eaf": ".eaf",
}


IN_FOLDERS = {"srt": OWN}
"""Format -> the ending used in a folder, where ".srt" would be taken for a transcript."""


def render(timelines: Sequence[Timeline], format: str, *, summary: bool = False) -> str:
    """Return the text of one file; with ``summary``, of the recordings as a whole.

    Raises:
        UsageError: there is no such format, the format holds one recording and there are several,
            or it needs times and a recording has none.
    """
    return _writer(format, summary)(timelines)


def _writer(format: str, summary: bool) -> Callable[[Sequence[Timeline]], str]:
    writers, what = (SUMMARIES, "format of summaries") if summary else (FORMATS, "format")
    if format not in writers:
        raise UsageError(f"There is no {what} {format!r}; there are {', '.join(writers)}.")
    return writers[format]


def write(
    timelines: Sequence[Timeline], format: str, out: Path | str, *, summary: bool = False
) -> list[Path]:
    """Write timelines to files, each of them atomically, and return the files' paths.

    Args:
        timelines: one or several.
        format: a key of `FORMATS`.
        out: a file; or a folder (an existing one, or a name that ends with "/"), which gets a
            file per recording, named after it.
        summary: whether the recordings as a whole are written, in a format of `SUMMARIES`.

    Raises:
        UsageError: there is no such format; there are several recordings for a file that holds
            one; a file would overwrite its recording; recordings have no times (all others are
            written first).
        OutputError: a file cannot be written.
    """
    several = [timelines] if isinstance(timelines, Timeline) else list(timelines)
    render_file = _writer(format, summary)
    folder = Path(out)
    if not (folder.is_dir() or str(out).endswith(("/", "\\"))):
        _put(render_file(several), folder, several)
        return [folder]
    written, refused = [], []
    ending = IN_FOLDERS.get(format, ENDINGS[format])
    for timeline, name in zip(several, _names(several, ending), strict=True):
        try:
            text = render_file([timeline])
            _put(text, folder / name, [timeline])
        except UsageError as error:
            refused.append(str(error))
        else:
            written.append(folder / name)
    if refused:
        more = f" The same holds for {len(refused) - 1} more." if len(refused) > 1 else ""
        raise UsageError(refused[0] + more)
    return written


def _put(text: str, path: Path, timelines: Sequence[Timeline]) -> None:
    for timeline in timelines:
        if timeline.path not in ("", "-") and Path(timeline.path).resolve() == path.resolve():
            raise UsageError(f"{path} is the recording itself; choose another folder or name.")
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def _names(timelines: Sequence[Timeline], ending: str) -> list[str]:
    """Choose distinct names: interview.srt, else interview.mp4.srt, else with a number."""
    names = [PurePath(t.path).name if t.path not in ("", "-") else "recording" for t in timelines]
    stems = [PurePath(n).stem for n in names]
    chosen: list[str] = []
    taken: set[str] = set()
    for name, stem in zip(names, stems, strict=True):
        base = stem if sum(s.lower() == stem.lower() for s in stems) == 1 else name
        number, unique = 1, base
        while unique.lower() in taken:
            number += 1
            unique = f"{base}-{number}"
        taken.add(unique.lower())
        chosen.append(unique + ending)
    return chosen
