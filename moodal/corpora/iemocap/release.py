"""IEMOCAP as released: 10,039 labelled turns of ten actors in five sessions.

Busso et al., "IEMOCAP: Interactive emotional dyadic motion capture database", Language
Resources and Evaluation, 2008. Recipes choose which emotions are classes: see
``recipes/iemocap-release/spaces``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from moodal.core.emotions import EmotionSpace, Value, Values
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest, Ratings
from moodal.core.records import Clip, Utterance, media_of
from moodal.corpora.find import AUDIO, folder, recordings, shortened
from moodal.corpora.iemocap import lines as iemocap_lines
from moodal.corpora.iemocap.lines import LabelledTurn, Lines
from moodal.corpora.iemocap.names import CODES, fields

RELEASE = "IEMOCAP_full_release"
SESSIONS = tuple(f"Session{i}" for i in range(1, 6))

VALUES = {"valence": "valence", "arousal": "activation", "dominance": "dominance"}
"""Value -> what the release calls it."""
LOW, HIGH = 1.0, 5.0

REMARK = re.compile(r"\[[^\[\]]*\]")
"""Pattern of remarks in a transcript that are not words, such as [LAUGHTER]."""


def read(root: Path | str) -> Manifest:
    """Read IEMOCAP as released: 10,039 labelled turns of ten actors.

    ``root`` is ``IEMOCAP_full_release``, or the folder that holds it. Each ``Session*`` has labels
    in ``dialog/EmoEvaluation/*.txt``, transcripts in ``dialog/transcriptions`` and sound in
    ``sentences/wav/<dialogue>/<utterance>.wav``. Every turn with a label line is an utterance.
    Missing sessions, recordings and transcripts, and those without a label, are counted in the
    notes.

    Returns:
        Speech and text; labels one-hot [N, 11], the words of `CODES` in their order; ratings, the
        means of `VALUES` from 1 to 5, of which a few lie outside and are cut off; no splits.
        ``extra``: style, script or scenario, start, end, valence, activation, dominance,
        annotators (JSON, see `LabelledTurn`); transcript, where remarks were removed from the text.
        A turn of remarks alone keeps them as its text, and has an empty "ctc_text".

    Raises:
        DataError: there is no session, or lines are damaged; the first three are named.
    """
    root = _release(folder(root, f"{RELEASE} or its Session folders"))
    notes, lines = [], Lines()
    audio: dict[str, Path] = {}
    for session in SESSIONS:
        place = root / session
        sheets = _sheets(place / "dialog" / "EmoEvaluation")
        if not sheets:
            notes.append(
                f"{session} has no label files in dialog/EmoEvaluation and was left out."
                if place.is_dir()
                else f"{session} is missing: folds by session are over the other sessions."
            )
            continue
        for path in sheets:
            iemocap_lines.labels(path, lines)
        for path in _sheets(place / "dialog" / "transcriptions"):
            iemocap_lines.transcripts(path, lines)
        wav = place / "sentences" / "wav"
        audio |= recordings(sorted(p for p in wav.glob("*") if p.is_dir()), AUDIO)
    if not lines.turns and not lines.problems:
        raise DataError(
            f"{root} holds no Session folder with label files in dialog/EmoEvaluation; give "
            f"{RELEASE}, or the folder that holds it."
        )
    if lines.problems:
        raise DataError(f"{root}: {shortened(lines.problems)}; correct or remove these lines.")
    names = list(lines.turns)
    codes = list(CODES)
    means = [[float(t.dimensions[x]) for x in VALUES.values()] for t in lines.turns.values()]
    numbers = np.array(means, np.float32)
    outside = np.flatnonzero(((numbers < LOW) | (numbers > HIGH)).any(1))
    if len(outside):
        turns = [names[row] for row in outside]
        notes.append(
            f"{len(turns)} turns have a mean rating outside of {LOW:g} to {HIGH:g}, which was set "
            f"to the nearer end: {shortened(turns)}."
        )
    return Manifest(
        corpus="iemocap-release",
        space=EmotionSpace(CODES.values(), "single"),
        utterances=tuple(
            _utterance(name, turn, lines.texts.get(name), audio.get(name), root)
            for name, turn in lines.turns.items()
        ),
        labels=np.eye(len(codes), dtype=np.float32)[
            [codes.index(lines.turns[name].code) for name in names]
        ],
        ratings=Ratings(
            Values([Value(name, LOW, HIGH) for name in VALUES]), numbers.clip(LOW, HIGH)
        ),
        licence="on request, for research",
        notes=(*notes, *_notes(names, lines, audio)),
        root=str(root.resolve()),
    )


def _release(root: Path) -> Path:
    """Return the folder with the sessions: ``root``, or the release's folder in it."""
    return root / RELEASE if (root / RELEASE).is_dir() else root


def _sheets(place: Path) -> list[Path]:
    """List the text files of a folder, without macOS metadata such as "._x.txt"."""
    return [p for p in sorted(place.glob("*.txt")) if not p.name.startswith(".")]


def _utterance(
    name: str, turn: LabelledTurn, raw: str | None, audio: Path | None, root: Path
) -> Utterance:
    about = fields(name)
    extra = {**about.pop("extra"), "start": turn.start, "end": turn.end, **turn.dimensions}
    if turn.annotators:
        extra["annotators"] = json.dumps(turn.annotators, separators=(",", ":"))
    text = without_remarks(raw or "")
    if text != (raw or ""):
        extra["transcript"] = raw or ""
        if not text:
            text, extra["ctc_text"] = raw or "", ""
    clip = None if audio is None else Clip(audio.relative_to(root).as_posix())
    media = media_of(text=text or None, speech=clip)
    return Utterance(name, media=media, extra=extra, **about)


def without_remarks(text: str) -> str:
    """Remove remarks in brackets from a transcript.

    >>> without_remarks("[LAUGHTER] Cat  babies.")
    'Cat babies.'
    """
    return " ".join(REMARK.sub(" ", text).split()) if REMARK.search(text) else text


def _notes(names: list[str], lines: Lines, audio: dict[str, Path]) -> list[str]:
    """Count what is missing or left over, one sentence for each kind."""
    turns = set(names)

    def count(names: Iterable[str], what: str) -> list[str]:
        names = list(names)
        return [f"{len(names)} {what}: {shortened(names)}."] if names else []

    empty = [n for n in names if n in lines.texts and not lines.texts[n]]
    notes = [
        *count((n for n in names if n not in audio), "labelled turns have no recording"),
        *count((n for n in names if n not in lines.texts), "labelled turns have no transcript"),
        *count(empty, "labelled turns have an empty transcript"),
        *count((n for n in audio if n not in turns), "recordings have no label and were left out"),
        *count(
            (n for n in lines.texts if n not in turns),
            "transcribed turns have no label and were left out",
        ),
        *count(lines.twice, "turns have a second transcript, which was left out"),
    ]
    if lines.unnamed:
        notes.append(f"{lines.unnamed} lines of transcripts name no turn and were left out.")
    if lines.unread:
        notes.append(f"{lines.unread} lines of label files are not annotations and were left out.")
    return notes
