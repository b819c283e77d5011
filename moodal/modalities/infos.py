"""What tables and figures show of a modality, of whatever name."""

from __future__ import annotations

from moodal.core.records import ModalityInfo
from moodal.modalities import MODALITIES


def info_of(name: str) -> ModalityInfo:
    """Return the data of a modality; one that this moodal does not have is shown by its name.

    >>> info_of("speech").label, info_of("pulse").label
    ('voice', 'pulse')
    """
    if name in MODALITIES:
        return MODALITIES[name].info
    return ModalityInfo(name, name, "#666666", "x", "table")
