"""Absences: what a recording lacks, and notes for its reader."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from moodal.media.recording import Recording
from moodal.modalities.modality import Modality


class Absences:
    """The absent media and modalities of a whole recording, and notes for its reader.

    Attributes:
        modalities: the modalities that observe it.
        lacking: the media that it lacks.
        absent: modality -> why the recording lacks it.
    """

    def __init__(self, recording: Recording, modalities: Mapping[str, Modality]):
        self.modalities = modalities
        self.lacking: set[str] = set()
        self.absent: dict[str, str] = {}
        self._recording = recording
        self._notes: list[str] = []
        self._reasons: dict[str, str] = {}
        self._seen: set[str] = set()

    def note(self, sentence: str) -> None:
        """Add a sentence once; the path of a temporary copy is replaced by the recording's name."""
        if self._recording.path is not None:
            name = self._recording.name or "the recording"
            sentence = sentence.replace(str(self._recording.path), name)
        # readers tell what is damaged without a capital and a full stop
        named = self._recording.name and sentence.startswith(self._recording.name)
        first = sentence[:1] if named else sentence[:1].upper()
        sentence = f"{first}{sentence[1:].removesuffix('.')}."
        if sentence not in self._notes:
            self._notes.append(sentence)

    def record_missing(self, medium: str, reason: str) -> None:
        """Record why the whole recording lacks a medium; the first reason is kept.

        Args:
            medium: "text", "sound" or "pictures", as in `ModalityInfo`; every modality of that
                medium is absent, whatever its name.
            reason: why, such as "no sound".
        """
        self.lacking.add(medium)
        for name, modality in self.modalities.items():
            if modality.info.medium == medium:
                self.absent.setdefault(name, reason)

    def withdraw_missing(self, medium: str) -> None:
        """Take back that the recording lacks a medium, of which something has come."""
        self.lacking.discard(medium)
        for name, modality in self.modalities.items():
            if modality.info.medium == medium:
                self.absent.pop(name, None)

    def record(self, observed: Collection[str], absent: Mapping[str, str], spoken: bool) -> None:
        """Record which modalities were observed in an utterance, and why others were not.

        Args:
            spoken: whether the utterance has speech.
        """
        # without speech, a missing voice and missing words do not characterise the recording
        for name, reason in absent.items():
            if spoken or self.modalities[name].info.medium not in ("sound", "text"):
                self._reasons[name] = reason
        self._seen |= set(observed)

    def conclude(self, silent: bool) -> None:
        """Record, at the end, why a modality was never observed.

        Args:
            silent: whether the whole sound is silent.
        """
        for name, modality in self.modalities.items():
            if name in self._seen or name in self.absent:
                continue
            info = modality.info
            usual = {"sound": "no speech", "pictures": f"no {info.label}"}
            reason = self._reasons.get(name, usual.get(info.medium))
            if info.medium == "sound" and silent:
                reason = "silence"
            if reason is not None:
                self.absent[name] = reason
        if not self._seen and not self.absent:
            self.absent = dict.fromkeys(self.modalities, "nothing to observe")

    def sentences(self) -> tuple[str, ...]:
        """Return all notes as sentences."""
        return tuple(self._notes)
