"""A drawn face that face detectors take for one, with a mouth and brows that move.

For tests and for the clip of the quickstart: nobody's likeness, made of smooth ovals.
"""

from __future__ import annotations

import numpy as np

_SKIN, _HAIR, _SHIRT = (224, 178, 150), (62, 44, 36), (70, 92, 120)
_WALL, _LIP, _DARK, _WHITE = (168, 176, 180), (168, 84, 80), (38, 26, 26), (240, 238, 234)


def draw_face(
    size: int, smile: float = 0.0, brow: float = 0.0, *, mouth: float = 0.0
) -> np.ndarray:
    """Draw head and shoulders from the front, [size, size, 3] uint8 RGB.

    The head takes two thirds of the height.

    Args:
        size: pixels of a side, 32 or more for a face that is found.
        smile: -1 (corners of the mouth down) to 1 (up).
        brow: -1 (drawn together and down) to 1 (raised).
        mouth: 0 (closed) to 1 (open).

    >>> draw_face(64, smile=1.0).shape
    (64, 64, 3)
    """
    smile, brow, mouth = (
        float(np.clip(v, low, 1)) for v, low in ((smile, -1), (brow, -1), (mouth, 0))
    )
    # x to the right and y down, both -1 to 1; the head's half axes are about 0.44 and 0.6
    steps = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(steps, steps)
    side = np.abs(x)
    blur = 2.5 / size
    picture = np.empty((size, size, 3), np.float32)
    picture[:] = np.array(_WALL) * (1 - 0.12 * y)[..., None]

    def paint(color: tuple[int, int, int], distance: np.ndarray, opacity: float = 1.0) -> None:
        """Colour where ``distance`` (of about -1 to 1 units) is negative, with a soft edge."""
        share = opacity / (1 + np.exp(np.clip(distance / blur, -30, 30)))
        picture[:] = picture * (1 - share[..., None]) + np.array(color) * share[..., None]

    def shade(amount: float, cx: float, cy: float, rx: float, ry: float) -> None:
        """Darken (or lighten) softly around ``cx`` to both sides of the middle."""
        soft = np.exp(-(((side - cx) / rx) ** 2) - ((y - cy) / ry) ** 2)
        picture[:] = picture * (1 - amount * soft)[..., None]

    def oval(cx: float, cy: float, rx: float, ry: float, across: np.ndarray = side) -> np.ndarray:
        return (np.hypot((across - cx) / rx, (y - cy) / ry) - 1) * min(rx, ry)

    paint(_HAIR, oval(0, -0.12, 0.50, 0.60))
    paint(_SHIRT, oval(0, 1.22, 0.86, 0.52))
    paint(_SKIN, np.maximum(side - 0.2, np.abs(y - 0.58) - 0.26))
    shade(0.35, 0, 0.62, 0.3, 0.1)
    paint(_SKIN, oval(0.44, 0.02, 0.06, 0.13))
    # the face: narrower towards the chin
    taper = side * (1 + 0.22 * np.clip(y - 0.05, 0, None))
    paint(_SKIN, oval(0, 0.0, 0.43, 0.58, across=taper))
    paint(_HAIR, np.maximum(oval(0, -0.12, 0.5, 0.6), y + 0.36 + 0.35 * x**2 - 0.06 * x))
    shade(0.28, 0.43, 0.1, 0.12, 0.5)
    shade(0.22, 0.0, 0.56, 0.25, 0.06)

    # eyes: sockets, whites, irises, lids
    shade(0.35, 0.185, -0.10, 0.12, 0.07)
    paint(_WHITE, oval(0.185, -0.07, 0.085, 0.036))
    paint(_DARK, oval(0.185, -0.07, 0.04, 0.038))
    lid = np.abs(y + 0.105 - 0.9 * (side - 0.185) ** 2 * 4) - 0.010
    paint(_DARK, np.maximum(lid, np.abs(side - 0.185) - 0.095), 0.85)
    shade(0.18, 0.185, -0.015, 0.09, 0.025)

    # brows: raised with ``brow``, their inner ends down with a frown
    height = -0.19 - 0.055 * brow + 0.9 * (side - 0.19) ** 2
    height = height + max(0.0, -brow) * 0.25 * (0.19 - side)
    inner = 0.07 - 0.02 * max(0.0, -brow)
    paint(_HAIR, np.maximum(np.abs(y - height) - 0.022, np.abs(side - 0.19) - (0.19 - inner)))

    # nose: bridge, wings, shadow beneath
    shade(-0.10, 0.0, 0.02, 0.035, 0.16)
    shade(0.14, 0.07, 0.02, 0.035, 0.14)
    shade(0.30, 0.0, 0.205, 0.10, 0.028)
    paint(_DARK, oval(0.045, 0.18, 0.024, 0.012), 0.8)

    # mouth: two lips around a line that bends, and what is open between them
    half = 0.17 + 0.04 * smile
    bend = -0.35 * smile * ((side / half) ** 2 - 0.45) * half
    line = y - (0.34 + bend)
    fall = np.clip(1 - (side / half) ** 2, 0, 1)
    opened = 0.11 * mouth * fall
    within = side - half
    paint(
        _LIP,
        np.maximum(
            np.maximum(-line - 0.034 * fall - 0.004, line - opened - 0.046 * fall - 0.004), within
        ),
    )
    paint(_DARK, np.maximum(np.maximum(-line - 0.008, line - opened - 0.008), within))
    if smile > 0.3 or mouth > 0.3:
        teeth = min(0.5, mouth) * 0.05 + 0.018 * max(0.0, smile)
        paint(
            _WHITE,
            np.maximum(
                np.maximum(-line, line - np.minimum(teeth, opened + 0.012)), side - 0.75 * half
            ),
            0.9,
        )
    shade(0.15, 0.0, 0.43 + 0.1 * mouth, 0.12, 0.03)
    shade(0.12 * max(0.0, smile), half + 0.05, 0.27, 0.03, 0.10)
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)
