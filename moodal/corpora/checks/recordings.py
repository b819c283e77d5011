"""The check of media files: whether they exist, can be read, and differ from each other."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from moodal.core.manifest import Manifest
from moodal.core.records import Clip
from moodal.corpora.checks.duplicates import repeated
from moodal.corpora.checks.finding import Finding, Level
from moodal.corpora.find import shortened


def media(manifest: Manifest) -> Iterator[Finding]:
    """Find media files that are missing, cannot be read, or have equal content.

    Missing files are an error, as are unreadable ones if there are no others.
    """
    clips = _clips(manifest)
    if not clips:
        return
    root = Path(manifest.root or ".")
    missing = _missing(root, clips)
    yield from _named(missing, len(clips))
    absent = set(missing)
    broken = [path for path in clips if path not in absent and not _readable(root / path)]
    if broken:
        detail = f"{len(broken)} of {len(clips)} media files are not readable: "
        level: Level = "error" if len(broken) == len(clips) else "warning"
        yield Finding(level, "media", f"{detail}{shortened(broken, 4)}.")
    if not missing and not broken:
        yield Finding("ok", "media", f"All {len(clips)} media files exist and can be read.")
    alone = {p: rows[0] for p, rows in clips.items() if len(rows) == 1}
    good = sorted(set(alone) - absent - set(broken))
    digests: list[Hashable | None] = [None] * len(manifest)
    for path, digest in _same(root, good).items():
        digests[alone[path]] = digest
    yield from repeated(manifest, digests, "media file")


def missing_media(manifest: Manifest) -> Iterator[Finding]:
    """Find media files that do not exist."""
    clips = _clips(manifest)
    yield from _named(_missing(Path(manifest.root or "."), clips), len(clips))


def _missing(root: Path, paths: Iterable[str]) -> list[str]:
    return [path for path in paths if not (root / path).is_file()]


def _named(missing: Sequence[str], count: int) -> Iterator[Finding]:
    """Name those of ``count`` media files that are missing."""
    if missing:
        detail = f"{len(missing)} of {count} media files are missing: {shortened(missing, 4)}"
        yield Finding("error", "media", f"{detail}.")


def _clips(manifest: Manifest) -> dict[str, list[int]]:
    """List the media files: path -> the rows that name it."""
    clips: dict[str, list[int]] = defaultdict(list)
    for row, u in enumerate(manifest.utterances):
        media = chain(u.media.values(), *u.views.values())
        for path in dict.fromkeys(m.path for m in media if isinstance(m, Clip)):
            clips[path].append(row)
    return clips


def _readable(path: Path) -> bool:
    """Return whether a file has bytes and, if it is sound, a header that libsndfile reads."""
    try:
        with open(path, "rb") as file:
            if not file.read(1):
                return False
        if path.suffix.lower() in (".wav", ".flac", ".ogg"):
            import soundfile

            return bool(soundfile.info(str(path)).frames)
    except (OSError, RuntimeError):  # soundfile's own errors are RuntimeErrors
        return False
    return True


def _same(root: Path, paths: Sequence[str]) -> dict[str, bytes]:
    """Compute a digest of each file whose size another file has, too: path -> digest."""
    sizes: dict[int, list[str]] = defaultdict(list)
    for path in paths:
        sizes[(root / path).stat().st_size].append(path)
    same_size = [path for group in sizes.values() if len(group) > 1 for path in group]
    return {path: hashlib.sha256((root / path).read_bytes()).digest() for path in same_size}
