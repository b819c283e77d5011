"""The table of corpora: each corpus is a module with ``read(root) -> Manifest`` and a line here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from moodal.core.manifest import Manifest
from moodal.corpora import (
    brighter,
    crema_d,
    crema_d_votes,
    emobank,
    fer2013,
    goemotions,
    meld,
    msp_podcast,
    ravdess,
    table,
    xed,
)
from moodal.corpora.exchange import audformat_database, hf_datasets
from moodal.corpora.iemocap import mmer_csv, release, votes
from moodal.corpora.published import (
    csd_corpora,
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
    "mosei-csd": csd_corpora.read_mosei,
    "mosei-csd-sentiment": csd_corpora.read_mosei_sentiment,
    "mosi-csd": csd_corpora.read_mosi,
    "iemocap-release": release.read,
    "iemocap-votes": votes.read,
    "mmer": mmer_csv.read,
    "meld": meld.read,
    "msp-podcast": msp_podcast.read,
    "goemotions": goemotions.read,
    "xed": xed.read,
    "brighter": brighter.read,
    "emobank": emobank.read,
    "crema-d": crema_d.read,
    "crema-d-votes": crema_d_votes.read,
    "crema-d-voice-votes": crema_d_votes.read_voice,
    "crema-d-face-votes": crema_d_votes.read_face,
    "crema-d-panels": crema_d_votes.read_panels,
    "ravdess": ravdess.read,
    "fer2013": fer2013.read,
    "ferplus": fer2013.read_plus,
    "fer2013-both": fer2013.read_both,
    "table": table.read,
    "audformat": audformat_database.read,
    "datasets": hf_datasets.read,
}
"""Name -> reader of the files as users have them."""
