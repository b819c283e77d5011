"""Persons: who of those that are seen gets the voice and the words of an utterance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moodal.modalities.modality import Observed

OFF_SCREEN = "The speaker is not in the picture: no mouth that is seen moves."
"""The flag of a voice that belongs to none of several faces."""

LISTENS = "another person speaks"
"""Why a modality was not used for somebody who listens."""

STILL = "The mouth of the face hardly moves: somebody else may speak."
"""The flag of an utterance whose only face does not seem to speak."""

AMBIGUOUS = "The pictures do not show who speaks; the most prominent face got the voice."
"""The flag of a voice that is too short to see whose it is."""


@dataclass(frozen=True)
class ObservedPerson:
    """One person in an utterance, and the observations of that person.

    Attributes:
        track: number of the face; None for a voice without one.
        observed: modality -> what was observed.
        flags: what a reader should know of who it is, one sentence each.
        listens: whether the voice and the words of the utterance are another person's.
    """

    track: int | None
    observed: dict[str, Observed]
    flags: tuple[str, ...] = ()
    listens: bool = False


def persons_in(observed: Mapping[str, Sequence[Observed]]) -> list[ObservedPerson]:
    """Divide the observations of an utterance among the persons in it.

    Of several persons the one that is seen to speak gets what has no track: the voice, and the
    words. Where none of them speaks, the voice is a person of its own.

    Args:
        observed: modality -> one observation for each person with a track, the most prominent
            first, or one without a track.
    """
    shared = {m: o for m, group in observed.items() for o in group if o.track is None}
    tracked: dict[int, dict[str, Observed]] = {}
    for modality, group in observed.items():
        for o in group:
            if o.track is not None:
                tracked.setdefault(o.track, {})[modality] = o
    if not tracked:
        return [ObservedPerson(None, shared)] if shared else []
    speaker, flags = _speaker(tracked) if shared else (None, ())
    everyone = []
    if shared and speaker is None:
        everyone.append(ObservedPerson(None, shared, flags))
    for track, own in tracked.items():
        # in the order of the modalities
        both = {m: own.get(m, shared.get(m)) for m in observed} if track == speaker else own
        kept = {m: o for m, o in both.items() if o is not None}
        listens = bool(shared) and track != speaker
        everyone.append(ObservedPerson(track, kept, () if listens else flags, listens))
    return everyone


def _speaker(
    tracked: Mapping[int, Mapping[str, Observed]],
) -> tuple[int | None, tuple[str, ...]]:
    """Return the track of the person who speaks, None for nobody in sight, and flags."""
    speaks = {
        track: next((o.speaks for o in own.values() if o.speaks is not None), None)
        for track, own in tracked.items()
    }
    first = next(iter(tracked))
    if len(tracked) == 1:
        return first, (STILL,) if speaks[first] is False else ()
    speakers = [track for track, seen in speaks.items() if seen]
    if speakers:
        return speakers[0], ()
    if all(seen is False for seen in speaks.values()):
        return None, (OFF_SCREEN,)
    return next(track for track, seen in speaks.items() if seen is None), (AMBIGUOUS,)
