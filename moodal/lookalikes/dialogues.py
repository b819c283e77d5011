"""The dialogues of IEMOCAP's look-alikes: who says what, how labelled, in five sessions.

Two actors a session talk in turn. Scripted dialogues recur in every session, line by line, and
a line's emotion is nearly always the same; improvised ones do not recur.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from moodal.corpora.iemocap.names import SESSIONS
from moodal.lookalikes.files import generator
from moodal.lookalikes.signal import primary
from moodal.lookalikes.text import CLAUSES, DID, WHO

PRIOR = {
    "angry": 0.13,
    "happy": 0.10,
    "excited": 0.11,
    "sad": 0.13,
    "neutral": 0.17,
    "frustrated": 0.16,
    "fear": 0.02,
    "surprised": 0.03,
    "disgust": 0.02,
    "other": 0.01,
    "undecided": 0.12,
}
"""Emotion -> its share, rare ones oftener than in the real corpus."""

WORDS = {
    "angry": "anger",
    "happy": "joy",
    "excited": "excitement",
    "sad": "sadness",
    "neutral": "neutral",
    "frustrated": "annoyance",
    "fear": "fear",
    "surprised": "surprise",
    "disgust": "disgust",
}
"""Emotion -> the one whose clauses its texts have; the others say anything."""

SCRIPTS = ("01_1", "01_2", "01_3", "02_1", "02_2", "03_1", "03_2")
FIXED = 0.9
"""Chance that a scripted line has its usual emotion."""

FAITHFUL = 0.6
"""Chance that the words show the emotion. With `FIXED`, what the words alone tell is about as
uneven as in the real corpus: most on scripted lines, least on those of a script held out."""


@dataclass(frozen=True)
class DialogueTurn:
    """A turn of a dialogue.

    Attributes:
        name: name of the utterance.
        dialogue: name of the dialogue.
        emotion: its label, a key of `PRIOR`.
        shown: the emotion that its words and voice come from (never "other" or "undecided").
        text: what is said, without remarks.
    """

    name: str
    dialogue: str
    emotion: str
    shown: str
    text: str

    @property
    def speaker(self) -> str:
        """The speaker as session and letter, such as Ses01F."""
        return self.name[:5] + self.name.rsplit("_", 1)[1][0]


def dialogues(utterances: int, seed: int, name: str, prior: dict[str, float]) -> list[DialogueTurn]:
    """Draw ``utterances`` turns of five sessions, in the order of their dialogues.

    Args:
        name: of the look-alike; another one has other turns.
        prior: emotion -> its share; where there is room, each occurs.
    """
    rng = generator(seed, name, "dialogues")
    turns = list(_turns(utterances, seed, name, prior))
    free = [i for i, turn in enumerate(turns) if not turn.usual or rng.random() > FIXED]
    drawn = primary(len(free), list(prior.values()), rng)
    emotions = {i: list(prior)[c] for i, c in zip(free, drawn, strict=True)}
    spoken: Counter[tuple[str, str]] = Counter()
    lines = []
    for i, turn in enumerate(turns):
        emotion = emotions.get(i, turn.usual)
        shown = _shown(emotion, rng)
        title = f"{turn.dialogue}_{turn.voice}{spoken[turn.dialogue, turn.voice]:03d}"
        spoken[turn.dialogue, turn.voice] += 1
        text = turn.text or sentence(shown, rng)
        lines.append(DialogueTurn(title, turn.dialogue, emotion, shown, text))
    return lines


class _DraftTurn(NamedTuple):
    """A turn before its label is drawn; improvised ones have no usual emotion and no text."""

    dialogue: str
    voice: str
    usual: str
    text: str


def _turns(utterances: int, seed: int, name: str, prior: dict[str, float]) -> Iterator[_DraftTurn]:
    scenes = _scenes(int(np.clip(utterances // 50, 2, 30)))
    sizes = (utterances + np.arange(5)[::-1]) // 5
    for session, size in zip(SESSIONS, sizes, strict=True):
        ends = np.linspace(0, size, len(scenes) + 1).round().astype(int)
        for number, (scene, count) in enumerate(zip(scenes, np.diff(ends), strict=True)):
            dialogue = f"{session}{scene}"
            for i in range(int(count)):
                voice = "FM"[(i + number) % 2]
                if "_script" in scene:
                    script = scene.partition("_")[2]
                    usual = _usual(SCRIPTS.index(script.removeprefix("script")), i, seed, prior)
                    fixed = generator(seed, name, script, str(i))
                    text = sentence(_shown(usual, fixed), fixed)
                    yield _DraftTurn(dialogue, voice, usual, text)
                else:
                    yield _DraftTurn(dialogue, voice, "", "")


def _scenes(count: int) -> list[str]:
    """List the first ``count`` scenes of a session, such as F_impro01 and M_script01_1, in turn."""
    scenes = []
    for letters in ("FM", "MF"):
        for i in range(8):
            scenes.append(f"{letters[i % 2]}_impro{i + 1:02d}")
            if i < len(SCRIPTS):
                scenes.append(f"{letters[(i + 1) % 2]}_script{SCRIPTS[i]}")
    return scenes[:count]


def _usual(script: int, line: int, seed: int, prior: dict[str, float]) -> str:
    """Choose the emotion of a scripted line; steps of the golden section keep the shares even."""
    ends = np.cumsum(list(prior.values())) / sum(prior.values())
    at = (generator(seed, "scripts").random() + 0.618034 * (line + 5 * script)) % 1
    return list(prior)[int((ends <= at).sum())]


def _shown(emotion: str, rng: np.random.Generator) -> str:
    """Return the emotion, or a random one if the label names none."""
    return emotion if emotion in WORDS else str(rng.choice(list(WORDS)))


def sentence(shown: str, rng: np.random.Generator) -> str:
    """Draw a short sentence with a clause of the emotion shown, or sometimes of another."""
    if rng.random() > FAITHFUL:
        shown = str(rng.choice(list(WORDS)))
    clause = str(rng.choice(CLAUSES[WORDS[shown]]))
    end = str(rng.choice([".", "!", "?", "..."]))
    if rng.random() < 0.4:
        return clause[0].upper() + clause[1:] + end
    return f"{rng.choice(WHO)} {rng.choice(DID)}, {clause}{end}"
