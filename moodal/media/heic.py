"""HEIC pictures, as telephones take them, read by pillow-heif (libheif).

FFmpeg takes the tiles of such a picture for pictures of their own.
"""

from __future__ import annotations

import contextlib
import math
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


def check_heic(path: Path) -> None:
    """Check the header of a HEIC picture.

    Raises:
        DataError: it is damaged, or pillow-heif is not installed.
    """
    with _damage_named(path):
        _opened(path)


def read_heic(path: Path, most: float = math.inf) -> np.ndarray:
    """Read a HEIC picture, turned upright: [H, W, 3] uint8, RGB.

    Args:
        most: the pixels above which it is refused before it is decoded.

    Raises:
        DataError: it is damaged or too large, or pillow-heif is not installed.
    """
    with _damage_named(path):
        opened = _opened(path)
        width, height = opened.size
        if width * height > most:
            raise DataError(f"{path} is {width} x {height} pixels large; make it smaller.")
        picture = np.asarray(opened)
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
