"""Remarks: what a reader should know of a recording: what lacks, what is doubtful, and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from moodal.media.recording import Recording
from moodal.modalities.modality import Modality, Observed


class Remarks:
    """Collects what a reader should know of a whole recording.

    Attributes:
        modalities: that observe it.
        lacking: the media that it lacks.
        absent: modality -> why the recording lacks it.
    """

    def __init__(self, recording: Recording, modalities: Mapping[str, Modality]):
        self.modalities = modalities
        self.lacking: set[str] = set()
        self.absent: dict[str, str] = {}
        self._alone = recording.kind in ("text", "subtitles")
        self._notes: list[str] = []
        self._reserved: dict[tuple[str, str, bool], int] = {}
        self._seen: set[str] = set()

    def note(self, sentence: str) -> None:
        """Note a sentence, once."""
        if sentence not in self._notes:
            self._notes.append(sentence)

    def lack(self, medium: str, reason: str) -> None:
        """Say why the whole recording lacks a medium; the first reason stands."""
        self.lacking.add(medium)
        for name, modality in self.modalities.items():
            if modality.info.medium == medium:
                self.absent.setdefault(name, reason)

    def weigh(self, observed: dict[str, Sequence[Observed]], absent: dict[str, str]) -> None:
        """Leave out what has a reservation where something without one was observed."""
        reasons = {name: some[0].reservation for name, some in observed.items()}
        left_out = not self._alone and any(not reason for reason in reasons.values())
        for name, reason in reasons.items():
            if reason:
                key = (self.modalities[name].info.label, reason, left_out)
                self._reserved[key] = self._reserved.get(key, 0) + 1
            if reason and left_out:
                del observed[name]
                absent[name] = reason
        self._seen |= set(observed)

    def conclude(self, sound: str, segmented: bool) -> None:
        """Say at the end why a modality was never observed."""
        for name, modality in self.modalities.items():
            info = modality.info
            if (
                name in self._seen
                or name in self.absent
                or any(name == key[0] for key in self._reserved)
            ):
                continue
            reasons = {"pictures": f"no {info.label}", "text": "no words", "sound": sound}
            reason = reasons.get(info.medium, "nothing to observe")
            if info.medium == "sound" and segmented and sound != "silence":
                reason = "no speech is loud and long enough"
            self.absent[name] = reason

    def sentences(self) -> tuple[str, ...]:
        """Give all notes."""
        reserved = (_reserved(*key, count) for key, count in self._reserved.items())
        return (*self._notes, *reserved)


def _reserved(label: str, reason: str, left_out: bool, count: int) -> str:
    """Say how often something with a reservation was left out, or used all the same."""
    times = "once" if count == 1 else f"{count} times"
    return f"The {label} {'were not used' if left_out else 'may mislead'} {times}: {reason}."
