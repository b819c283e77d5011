"""SYSTEMS: the table of all systems; each is a file with its ``Config`` and ``build``."""

from moodal.train.systems import (
    branch,
    cai_sota,
    eea,
    emobox,
    mmer_2022,
    mmer_2023,
    mult,
    rnn,
    self_mm,
    tfn,
    transformer,
    unimodal_baseline,
)
from moodal.train.systems.system import SystemFile

SYSTEMS: dict[str, SystemFile] = {
    "eea": eea,
    "branch": branch,
    "rnn": rnn,
    "transformer": transformer,
    "mult": mult,
    "tfn": tfn,
    "self_mm": self_mm,
    "mmer": mmer_2023,
    "mmer_2022": mmer_2022,
    "cai_sota": cai_sota,
    "unimodal_baseline": unimodal_baseline,
    "emobox": emobox,
}
