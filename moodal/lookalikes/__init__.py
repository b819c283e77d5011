"""Look-alikes: made-up corpora in the exact file format of every reader.

Everything in moodal can be run on them without a licence. Their emotion can be
learned from each stream, and not fully: see `moodal.lookalikes.signal`.
No number measured on one says anything about people. The same seed writes the
same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from moodal.lookalikes import csd, exchange, languages, recordings, sequences, text
from moodal.lookalikes import iemocap as iemocap_files
from moodal.lookalikes import meld as meld_files

LOOKALIKES: dict[str, Callable[[Path, int, int], None]] = {
    "mosei": sequences.mosei,
    "iemocap": sequences.iemocap,
    "iemocap-noalign": sequences.iemocap_noalign,
    "iemocap9": sequences.iemocap9,
    "mosi": sequences.mosi,
    "mosi-noalign": sequences.mosi_noalign,
    "mosei-sentiment": sequences.mosei_sentiment,
    "processed": sequences.processed,
    "mosei-csd": csd.mosei,
    "mosi-csd": csd.mosi,
    "iemocap-release": iemocap_files.release,
    "mmer": iemocap_files.mmer,
    "meld": meld_files.meld,
    "goemotions": text.goemotions,
    "xed": text.xed,
    "brighter": languages.brighter,
    "emobank": text.emobank,
    "crema-d": recordings.crema_d,
    "ravdess": recordings.ravdess,
    "msp-podcast": recordings.msp_podcast,
    "table": recordings.table,
    "table-values": recordings.table_values,
    "audformat": exchange.audformat,
    "datasets": exchange.datasets,
}
"""Name -> what writes the look-alike, called with (folder, utterances of all splits, seed)."""

READERS = {"table-values": "table"}
"""Look-alike -> its reader, where that has another name."""
