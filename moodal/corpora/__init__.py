"""The table of corpora: each corpus is a module with ``read(root) -> Manifest`` and a line here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from moodal.core.manifest import Manifest
from moodal.corpora import (
    brighter,
    crema_d,
    emobank,
    fer2013,
    goemotions,
    meld,
    ravdess,
    table,
    xed,
)
from moodal.corpora.iemocap import mmer_csv, release
from moodal.corpora.published import (
    iemocap_eea,
    iemocap_nine,
    mosei,
    mosi,
    processed,
)

CORPORA: dict[str, Callable[[Path], Manifest]] = {
    "mosei": mosei.read,
    "iemocap": iemocap_eea.read,
    "iemocap-noalign": iemocap_eea.read_noalign,
    "iemocap9": iemocap_nine.read,
    "mosi": mosi.read,
    "mosi-noalign": mosi.read_noalign,
    "mosei-sentiment": mosei.read_sentiment,
    "processed": processed.read,
    "iemocap-release": release.read,
    "mmer": mmer_csv.read,
    "meld": meld.read,
    "goemotions": goemotions.read,
    "xed": xed.read,
    "brighter": brighter.read,
    "emobank": emobank.read,
    "crema-d": crema_d.read,
    "ravdess": ravdess.read,
    "fer2013": fer2013.read,
    "ferplus": fer2013.read_plus,
    "fer2013-both": fer2013.read_both,
    "table": table.read,
}
"""Name -> reader of the files as users have them."""
