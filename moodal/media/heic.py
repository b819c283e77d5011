"""HEIC pictures, as telephones take them, read by pillow-heif (libheif).

FFmpeg takes the tiles of such a picture for pictures of their own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, MissingReaderError, installation

_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")


def is_heic(head: bytes) -> bool:
    """Return whether a file begins as a HEIC picture does."""
    if head[4:8] != b"ftyp" or head[8:12] not in _BRANDS:
        return False
    # AVIF, too, may name the brand of the format that both use
    brands = head[16 : int.from_bytes(head[:4])]
    return b"avif" not in brands


def heic_size(path: Path) -> tuple[int, int]:
    """Return width and height of a HEIC picture, from its header.

    Raises:
        DataError: it is damaged, or pillow-heif is not installed.
    """
    with _damage_named(path):
        width, height = _opened(path).size
        return int(width), int(height)


def read_heic(path: Path) -> np.ndarray:
    """Read a HEIC picture, turned upright: [H, W, 3] uint8, RGB.

    Raises:
        DataError: it is damaged, or pillow-heif is not installed.
    """
    with _damage_named(path):
        picture = np.asarray(_opened(path))
        if picture.dtype == np.uint16:
            picture = (picture >> 8).astype(np.uint8)
        if picture.ndim == 2:  # grey
            picture = np.repeat(picture[:, :, None], 3, axis=2)
        return np.ascontiguousarray(picture[:, :, :3], np.uint8)


def _opened(path: Path) -> Any:
    try:
        import pillow_heif
    except ModuleNotFoundError:
        raise MissingReaderError(
            f"{path} is a HEIC picture, which needs the package pillow-heif; "
            f"{installation('heic')}, or convert the picture to JPEG."
        ) from None
    return pillow_heif.open_heif(str(path), convert_hdr_to_8bit=True)


@contextlib.contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Turn whatever the library raises about a damaged file into one sentence."""
    try:
        yield
    except DataError:
        raise
    except Exception:  # errors of many kinds, of C and of Python
        raise DataError(f"{path} is a damaged picture; copy or export it again.") from None
