"""SYSTEMS: name -> the module that holds its ``Config`` and ``build``."""

from types import ModuleType

from moodal.learn.systems import eea, mult, rnn, transformer

SYSTEMS: dict[str, ModuleType] = {
    "eea": eea,
    "rnn": rnn,
    "transformer": transformer,
    "mult": mult,
}
