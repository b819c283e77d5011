"""SYSTEMS: name -> the module that holds its ``Config`` and ``build``."""

from types import ModuleType

from moodal.train.systems import (
    branch,
    cai_sota,
    eea,
    mmer,
    mult,
    rnn,
    transformer,
    unimodal_baseline,
)

SYSTEMS: dict[str, ModuleType] = {
    "eea": eea,
    "branch": branch,
    "rnn": rnn,
    "transformer": transformer,
    "mult": mult,
    "mmer": mmer,
    "cai_sota": cai_sota,
    "unimodal_baseline": unimodal_baseline,
}
