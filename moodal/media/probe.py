"""Detection of what a file holds: sound, moving or still pictures, text or subtitles.

The content decides. The ending decides only where the content leaves it open (text or subtitles).
"""

from __future__ import annotations

import codecs
import contextlib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from moodal.core.errors import DataError, MissingDependencyError
from moodal.media.heic import is_heic, read_heic
from moodal.media.sniff import as_text, is_mpeg_audio, jpeg_size, png_size, read_head, refuse_other
from moodal.media.subtitles import read_subtitles

Kind = Literal["audio", "video", "image", "text", "subtitles"]

DEMUXERS = (
    "aac",
    "ac3",
    "aiff",
    "amr",
    "amrnb",
    "amrwb",
    "ape",
    "asf",
    "au",
    "avi",
    "bmp_pipe",
    "caf",
    "dsf",
    "dts",
    "dv",
    "eac3",
    "flac",
    "flv",
    "gif",
    "gxf",
    "h264",
    "hevc",
    "ivf",
    "jpeg_pipe",
    "live_flv",
    "m4v",
    "matroska,webm",
    "mjpeg",
    "mov,mp4,m4a,3gp,3g2,mj2",
    "mp3",
    "mpc",
    "mpc8",
    "mpeg",
    "mpegts",
    "mpegvideo",
    "mxf",
    "nsv",
    "nut",
    "ogg",
    "png_pipe",
    "rm",
    "swf",
    "tiff_pipe",
    "tta",
    "voc",
    "w64",
    "wav",
    "webp_pipe",
    "wtv",
    "wv",
)
"""FFmpeg's readers of single recordings. Left out are its playlists, which open other files and
addresses, and the readers that take any text or bytes for a film because of the file's ending."""

PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "png_pipe"),
    (b"\xff\xd8\xff", "jpeg_pipe"),
    (b"II*\x00", "tiff_pipe"),
    (b"MM\x00*", "tiff_pipe"),
)
"""First bytes of still pictures, and FFmpeg's reader of each."""

SAFE = {"format_whitelist": ",".join(DEMUXERS), "protocol_whitelist": "file"}
"""Options of FFmpeg by which every file is opened: it reads that file and no other."""

RECORDINGS = (
    ".wav",
    ".flac",
    ".ogg",
    ".oga",
    ".opus",
    ".mp3",
    ".aif",
    ".aiff",
    ".au",
    ".caf",
    ".mp4",
    ".m4a",
    ".m4v",
    ".mov",
    ".mkv",
    ".mka",
    ".webm",
    ".avi",
    ".aac",
    ".wma",
    ".wmv",
    ".flv",
    ".3gp",
    ".ts",
    ".mts",
    ".mpg",
    ".mpeg",
    ".ogv",
    ".jpg",
    ".jpeg",
    ".png",
    ".webp",
    ".bmp",
    ".tif",
    ".tiff",
    ".heic",
    ".heif",
)
"""Endings of files with sound or pictures: a text with such an ending is a mistake."""

RATES = range(1000, 1_000_000)
"""Samples per second that are believed; others come from a damaged header."""

PIXELS = 100_000_000
"""The largest still picture that is opened."""

_TABLES = {
    ".csv": "a table",
    ".tsv": "a table",
    ".json": "a JSON file",
    ".jsonl": "a JSON file",
    ".xml": "an XML file",
    ".svg": "a drawing (SVG)",
    ".ipynb": "a notebook",
    ".py": "a program",
    ".toml": "a settings file",
    ".yaml": "a settings file",
    ".yml": "a settings file",
    ".m3u": "a playlist",
    ".m3u8": "a playlist",
    ".pls": "a playlist",
    ".ass": "a subtitle file of another format",
    ".ssa": "a subtitle file of another format",
    ".textgrid": "an annotation",
    ".eaf": "an annotation",
}
"""Endings of texts that are no transcripts, and what they are."""

_SRT = re.compile(r"(?:\d{1,9}[ \t]{0,9}\n)?[ \t]{0,9}\d{1,4}:\d\d:\d\d[,.]\d{1,9}[ \t]{0,9}-->")


@dataclass(frozen=True, slots=True)
class Media:
    """The content of a file, as its header and first frames tell it.

    Attributes:
        kind: "audio" (also where its only picture is a cover), "video", "image", "text" or
            "subtitles".
        seconds: the length that the header states; of subtitles the end of the last cue; None
            for texts, pictures and live recordings.
        has_audio: whether it has sound that can be decoded.
        has_video: whether it has moving pictures that can be decoded.
        size: width and height in pixels as stored, before any rotation; None without a picture.
        fps: pictures per second on average; None where unknown.
        rate: samples per second of the sound.
        channels: number of channels of the sound.
    """

    kind: Kind
    seconds: float | None = None
    has_audio: bool = False
    has_video: bool = False
    size: tuple[int, int] | None = None
    fps: float | None = None
    rate: int | None = None
    channels: int | None = None


def probe(path: Path | str) -> Media:
    """Find out what a file holds, from its header and its first frames.

    Raises:
        DataError: the file is missing, a folder, empty, damaged, or of an unknown kind.
        MissingDependencyError: PyAV is needed and not installed.
    """
    path = Path(path)
    head = read_head(path)
    picture = picture_format(path)
    if picture is not None:
        return _image(path, head, picture)
    if is_heic(head):
        height, width, _ = read_heic(path, PIXELS).shape
        return Media("image", size=(width, height))
    refuse_other(path, head)
    text = as_text(head)
    if text is not None:
        return _text(path, text)
    if path.suffix.lower() in (".srt", ".vtt"):
        raise DataError(f"{path} holds no subtitles, but other data; give the .srt or .vtt itself.")
    return _recording(path, head)


def is_recording(path: Path | str) -> bool:
    """Return whether a file holds sound, a film or a picture, whatever its name promises.

    Raises:
        MissingDependencyError: PyAV is needed and not installed.
    """
    try:
        return probe(path).kind in ("audio", "video", "image")
    except DataError:
        return False


def open_container(path: Path, **options: Any) -> Any:
    """Open a recording with PyAV, by `DEMUXERS` alone; the caller closes it.

    Raises:
        DataError: FFmpeg finds no recording in the file.
        MissingDependencyError: PyAV is not installed.
    """
    try:
        import av
    except ModuleNotFoundError:
        raise MissingDependencyError(
            f"{path} wants the package av, which reads such files; `pip install av` brings it."
        ) from None
    try:
        # "file:" keeps a colon in the name from being read as a protocol.
        return av.open(f"file:{path}", options=SAFE, metadata_errors="replace", **options)
    except (av.FFmpegError, ValueError, OSError, MemoryError):
        if read_head(path)[4:8] == b"ftyp":
            raise DataError(
                f"{path} is damaged: its index is missing, as when recording or copying was cut "
                f"short; copy it again."
            ) from None
        raise DataError(
            f"{path} is no recording, picture, text or subtitles that can be read, or it is "
            f"damaged; convert it, e.g. `ffmpeg -i {path.name} {path.stem}-converted.wav`, or "
            f"leave it out."
        ) from None


def picture_format(path: Path) -> str | None:
    """Return FFmpeg's reader of a still picture by its content; None for other files.

    By its name, FFmpeg would take a picture for one of a numbered series, and read the others.
    """
    head = read_head(path)
    for magic, reader in PICTURES:
        if head.startswith(magic):
            return reader
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return "bmp_pipe"
    return "webp_pipe" if head.startswith(b"RIFF") and head[8:12] == b"WEBP" else None


def open_soundfile(path: Path, head: bytes) -> Any | None:
    """Open a file as a soundfile.SoundFile; None where libsndfile reads no samples in it."""
    import soundfile

    if is_mpeg_audio(head) or head.startswith(b"OggS") or path.suffix.lower() in (".mp3", ".raw"):
        return None
    try:
        file = soundfile.SoundFile(str(path))
    except (soundfile.LibsndfileError, RuntimeError, OSError, ValueError, TypeError):
        return None
    if file.frames > 0 and file.samplerate in RATES:
        return file
    file.close()
    return None


def _text(path: Path, text: str) -> Media:
    ending = path.suffix.lower()
    if ending in (".srt", ".vtt") or text.startswith("WEBVTT") or _SRT.match(text.lstrip()):
        return Media("subtitles", seconds=max(cue.end for cue in read_subtitles(path)))
    if ending in _TABLES or text.startswith("#EXTM3U"):
        raise DataError(
            f"{path} is {_TABLES.get(ending, 'a playlist')}, not what somebody said; give the "
            f"words as .txt, .srt or .vtt, or the recordings themselves."
        )
    if ending in RECORDINGS:
        raise DataError(
            f"{path} holds text, not what its ending promises; rename it to .txt, or copy the "
            f"recording again."
        )
    if not text.strip():
        raise DataError(f"{path} holds no words, only blanks; leave it out.")
    with open(path, "rb") as file:
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while piece := file.read(1 << 20):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise DataError(
                f"{path} is not UTF-8 text; convert it, e.g. `iconv -f latin1 -t utf-8`."
            ) from None
    return Media("text")


def _image(path: Path, head: bytes, picture: str) -> Media:
    sizes = {"png_pipe": png_size, "jpeg_pipe": jpeg_size}
    _require_size(path, sizes[picture](head) if picture in sizes else None)
    broken = DataError(f"{path} is a damaged picture; copy or export it again.")
    try:
        file = open_container(path, format=picture)
    except DataError:
        raise broken from None
    with file:
        for stream in file.streams.video:
            _require_size(path, (stream.codec_context.width, stream.codec_context.height))
        for frame in _first_frames(file, list(file.streams.video)).values():
            return Media("image", size=(int(frame.width), int(frame.height)))
    raise broken


def _require_size(path: Path, size: tuple[int, int] | None) -> None:
    if size is not None and size[0] * size[1] > PIXELS:
        raise DataError(f"{path} is {size[0]} x {size[1]} pixels large; make it smaller.")


def _recording(path: Path, head: bytes) -> Media:
    sound = open_soundfile(path, head)
    if sound is not None:
        with sound:
            seconds = sound.frames / sound.samplerate
            return Media("audio", seconds, True, rate=sound.samplerate, channels=sound.channels)
    with open_container(path) as file:
        audios, videos = list(file.streams.audio[:8]), moving(file)[:8]
        decoded = _first_frames(file, audios + videos)
        audio = next((s for s in audios if s.index in decoded and s.rate in RATES), None)
        video = next((s for s in videos if s.index in decoded), None)
        if audio is None and video is None:
            raise DataError(
                f"{path} holds neither sound nor moving pictures that can be decoded; it is "
                f"damaged or of an unknown codec: record or convert it again."
            )
        size = fps = None
        if video is not None:
            frame = decoded[video.index]
            size = (int(frame.width), int(frame.height))
            fps = _sensible(float(video.average_rate or 0), most=1000)
        return Media(
            "audio" if video is None else "video",
            _seconds(file, audio if video is None else video),
            audio is not None,
            video is not None,
            size,
            fps,
            None if audio is None else int(audio.rate or 0) or None,
            None if audio is None else int(audio.channels or 0) or None,
        )


def moving(file: Any) -> list[Any]:
    """Return the video streams of an opened container that are no cover art."""
    from av.stream import Disposition

    return [s for s in file.streams.video if not s.disposition & Disposition.attached_pic]


def _first_frames(file: Any, streams: list[Any], packets: int = 300) -> dict[int, Any]:
    """Decode the first frame of each stream in one pass: stream index -> frame.

    Streams are left out if none of their first ``packets`` packets can be decoded.
    """
    import av

    wanted = {s.index: packets for s in streams if s.codec_context is not None}
    decoded: dict[int, Any] = {}
    # Where reading itself fails, the frames decoded so far are all.
    with contextlib.suppress(av.FFmpegError, ValueError, MemoryError):
        for packet in file.demux([s for s in streams if s.index in wanted]):
            index = packet.stream.index
            if index not in wanted:
                continue
            with contextlib.suppress(av.FFmpegError, ValueError, MemoryError):
                if frames := packet.decode():
                    decoded[index] = frames[0]
            wanted[index] -= 1
            if index in decoded or not wanted[index]:
                del wanted[index]
            if not wanted:
                break
    return decoded


def _seconds(file: Any, stream: Any) -> float | None:
    spans = [file.duration / 1e6 if file.duration else 0.0]
    if stream.duration and stream.time_base:
        spans.append(float(stream.duration * stream.time_base))
    return _sensible(max(spans), most=1e7)


def _sensible(value: float, most: float) -> float | None:
    """Return a number of a header; None where it cannot be true."""
    return value if math.isfinite(value) and 0 < value <= most else None
