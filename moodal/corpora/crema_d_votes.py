"""CREMA-D by the votes of its crowd: labels are the shares of those who rated a clip.

2,443 people each rated some of the clips by voice alone, by face alone or by both (Cao et al.
2014); about ten rated each clip in each of these three panels. The release has what each person
chose (``finishedResponses.csv``), how many chose what (``processedResults/tabulatedVotes.csv``),
and each panel's winners (``processedResults/summaryTable.csv``, or ``metadata.csv``). The most
detailed of these files that is there is read.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.table_rows import number, read_rows
from moodal.core.votes import RATERS, VOTES, shares_of, tally, written
from moodal.corpora import crema_d
from moodal.corpora.crema_d import EMOTIONS
from moodal.corpora.find import decoded

LETTERS = {name[0].upper(): name for name in EMOTIONS.values()}
"""A, D, F, H, N, S -> emotion."""

PANELS = {
    "voice": ("1", "voice_vote"),
    "face": ("2", "face_vote"),
    "both": ("3", "multimodal_vote"),
}
"""Panel -> its number in the release, and the key of its winners in ``extra``."""

RESPONSES = "finishedResponses.csv"
COUNTS = "processedResults/tabulatedVotes.csv"

Votes = Mapping[str, Mapping[str, Any]]
"""Recording -> its votes: emotion -> number, or rater -> emotions."""


def read(root: Path | str) -> Manifest:
    """Read CREMA-D with the votes of those who saw and heard each clip, as shares.

    Labels are [N, 6], and each row sums to 1; all else is as `moodal.corpora.crema_d.read`.

    Raises:
        DataError: as that; or there are no votes, or a file of votes is damaged.
    """
    return _read(root, "both", "crema-d-votes")


def read_voice(root: Path | str) -> Manifest:
    """Read CREMA-D with the votes of those who heard each clip without its picture, as shares.

    Labels are [N, 6], and each row sums to 1; all else is as `moodal.corpora.crema_d.read`.

    Raises:
        DataError: see `read`.
    """
    return _read(root, "voice", "crema-d-voice-votes")


def read_face(root: Path | str) -> Manifest:
    """Read CREMA-D with the votes of those who saw each clip without its sound, as shares.

    Labels are [N, 6], and each row sums to 1; all else is as `moodal.corpora.crema_d.read`.

    Raises:
        DataError: see `read`.
    """
    return _read(root, "face", "crema-d-face-votes")


def read_panels(root: Path | str) -> Manifest:
    """Read CREMA-D with three votes a clip: the winners by voice, by face, and by both.

    Each panel counts as one rater, and a tie of a panel is split. So there is a distribution where
    the release's counts are not at hand. Labels are [N, 6], and each row sums to 1.

    Raises:
        DataError: as `moodal.corpora.crema_d.read`, or no winners are there.
    """
    manifest = crema_d.read(root)
    votes = {
        u.id: {
            panel: [LETTERS[x] for x in u.extra[key].split(":") if x in LETTERS]
            for panel, (_, key) in PANELS.items()
            if key in u.extra
        }
        for u in manifest.utterances
    }
    note = "Labels are the shares of three panels' winners: by voice, by face, and by both."
    return _voted(manifest, votes, RATERS, "crema-d-panels", note)


def _read(root: Path | str, panel: str, corpus: str) -> Manifest:
    manifest = crema_d.read(root)
    folder = Path(root)
    code, winner = PANELS[panel]
    kind, source = VOTES, COUNTS
    if (folder / RESPONSES).exists():
        kind, source = RATERS, RESPONSES
        votes: Votes = _responses(folder / RESPONSES, code)
    elif (folder / COUNTS).exists():
        votes = _counts(folder / COUNTS, code)
    else:
        kind, source = "", "each panel's winners alone: a share is 1, or that of a tie"
        votes = {
            u.id: {LETTERS[x]: 1.0 for x in u.extra.get(winner, "").split(":") if x in LETTERS}
            for u in manifest.utterances
        }
    note = f"Labels are the shares of the panel {panel}, from {source}."
    return _voted(manifest, votes, kind, corpus, note)


def _voted(manifest: Manifest, votes: Votes, kind: str, corpus: str, note: str) -> Manifest:
    """Return a corpus with shares of votes as labels, without the clips that nobody rated.

    Raises:
        DataError: no clip has votes.
    """
    count: Callable[[Any], Mapping[str, float]] = tally if kind == RATERS else dict
    counted = [count(votes.get(u.id, {})) for u in manifest.utterances]
    rows = [row for row, own in enumerate(counted) if own]
    if not rows:
        raise DataError(
            f"{manifest.root} has no votes: put CREMA-D's {RESPONSES}, {COUNTS}, "
            "processedResults/summaryTable.csv or metadata.csv with VoiceVote into it."
        )
    kept = manifest.select(rows)
    utterances = kept.utterances
    if kind:
        utterances = tuple(
            dataclasses.replace(u, extra={**u.extra, kind: written(votes[u.id])})
            for u in kept.utterances
        )
    without = len(manifest) - len(rows)
    notes = [*kept.notes, note, *[f"{without} clips without votes were left out."] * bool(without)]
    labels = list(EMOTIONS.values())
    return dataclasses.replace(
        kept,
        corpus=corpus,
        space=EmotionSpace(labels, "single"),
        utterances=utterances,
        labels=shares_of([counted[row] for row in rows], labels),
        notes=tuple(notes),
    )


def _responses(path: Path, code: str) -> dict[str, dict[str, list[str]]]:
    """Read what each person chose in a panel; of a clip rated twice by one, the last counts."""
    votes: dict[str, dict[str, list[str]]] = {}
    for i, row in enumerate(read_rows(path, decoded), 1):
        who, clip, emotion = row.get("localid"), row.get("clipname"), row.get("respemo")
        if not (who and clip and row.get("querytype")) or emotion not in LETTERS:
            raise DataError(
                f"{path}, row {i}: expected localid, queryType, clipName and respEmo "
                f"({', '.join(LETTERS)}); take the file from CREMA-D's release."
            )
        if row["querytype"] == code:
            votes.setdefault(Path(clip).stem, {})[who] = [LETTERS[emotion]]
    return votes


def _counts(path: Path, code: str) -> dict[str, dict[str, int]]:
    """Read how many chose what in a panel, which the first digit of a row's number names."""
    votes: dict[str, dict[str, int]] = {}
    rows = csv.DictReader(decoded(path.read_bytes()).splitlines())
    for i, row in enumerate(rows, 1):
        counts = {name: number(row.get(letter)) for letter, name in LETTERS.items()}
        name, place = row.get("fileName"), row.get("")
        if not name or not place or any(x is None or x < 0 for x in counts.values()):
            raise DataError(
                f"{path}, row {i}: expected a row number, the counts {', '.join(LETTERS)} and "
                "fileName; take the file from CREMA-D's release."
            )
        if place.startswith(code):
            votes[Path(name).stem] = {name: int(x) for name, x in counts.items() if x}
    return votes
