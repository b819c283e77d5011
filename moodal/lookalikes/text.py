"""Sentences that carry emotion in plain English words, and GoEmotions' look-alike.

A sentence is something neutral about someone, and a clause for each emotion; so
word vectors trained on real text tell the emotions, seen or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from moodal.core.errors import writing
from moodal.corpora import emobank as emobank_files
from moodal.corpora.goemotions import LABELS, SPLITS
from moodal.lookalikes.files import generator, staged
from moodal.lookalikes.languages import CLAUSES as CLAUSES_OF
from moodal.lookalikes.languages import text_in
from moodal.lookalikes.signal import FAITHFUL, phase_sizes, primary, several
from moodal.lookalikes.words import appraisals

WHO = (
    "My brother",
    "The new neighbour",
    "Our coach",
    "This guy",
    "Someone at work",
    "My teacher",
    "The driver",
    "An old friend",
    "Her cousin",
    "The player",
    "That writer",
    "My boss",
    "The doctor",
    "A stranger",
    "The whole team",
    "His daughter",
    "The cook",
    "Nobody here",
)
DID = (
    "called",
    "left a message",
    "came over",
    "wrote about it",
    "moved the table",
    "read the page",
    "closed the door",
    "took the train",
    "sent the file",
    "walked past",
    "opened the window",
    "answered",
    "parked the car",
    "made the list",
    "brought the book",
    "changed the plan",
)
WHEN = (
    "this morning",
    "last week",
    "on Monday",
    "after lunch",
    "yesterday",
    "at ten",
    "in May",
    "before the game",
    "on the way home",
    "during the call",
    "two days ago",
    "at the office",
    "near the station",
    "in the kitchen",
    "a while ago",
)

CLAUSES: dict[str, tuple[str, ...]] = {
    "admiration": (
        "what a brilliant job",
        "so impressive and talented",
        "truly amazing work",
        "I admire that a lot",
        "a great and skilled person",
    ),
    "amusement": (
        "I was laughing so hard",
        "that is hilarious",
        "such a funny joke",
        "it made everyone laugh",
        "really amusing and silly",
    ),
    "anger": (
        "I am so angry",
        "it makes me furious",
        "I hate this damn thing",
        "what an outrage, full of rage",
        "angry and mad at all of it",
    ),
    "annoyance": (
        "so annoying",
        "it is really irritating",
        "I am tired of this nonsense",
        "stop it, that bothers me",
        "a bit annoyed by the noise",
    ),
    "approval": (
        "I agree completely",
        "yes, that is right",
        "a fair and valid point",
        "good decision, I support it",
        "correct and reasonable",
    ),
    "caring": (
        "please take care of yourself",
        "I hope you feel better",
        "we are here to help you",
        "stay safe and get some rest",
        "be gentle, they need comfort",
    ),
    "confusion": (
        "I do not understand this",
        "so confused right now",
        "what does that even mean",
        "it makes no sense to me",
        "puzzled and unsure",
    ),
    "curiosity": (
        "I wonder why",
        "curious how that works",
        "can you tell me more",
        "what happened next",
        "I am interested in the question",
    ),
    "desire": (
        "I want one so badly",
        "I wish I had that",
        "I really need it in my life",
        "longing for it",
        "I would love to get one",
    ),
    "disappointment": (
        "so disappointed",
        "I expected better",
        "what a letdown",
        "sadly it failed again",
        "it was disappointing and weak",
    ),
    "disapproval": (
        "I disagree with that",
        "no, that is wrong",
        "this should not be allowed",
        "a bad idea, I oppose it",
        "that is not acceptable",
    ),
    "disgust": (
        "that is disgusting",
        "gross, it made me sick",
        "what a nasty smell",
        "revolting and filthy",
        "I feel disgust at the awful mess",
    ),
    "embarrassment": (
        "so embarrassing",
        "I was ashamed and blushing",
        "how awkward",
        "I felt humiliated",
        "an embarrassed silence",
    ),
    "excitement": (
        "I am so excited",
        "cannot wait, what a thrill",
        "this is thrilling news",
        "wow, let us go",
        "excited and eager for more",
    ),
    "fear": (
        "I am so afraid",
        "it was terrifying",
        "scared of the dark",
        "I fear the worst",
        "a horror, I was frightened",
    ),
    "gratitude": (
        "thank you so much",
        "I am grateful",
        "thanks for the help",
        "I really appreciate it",
        "thankful for your kindness",
    ),
    "grief": (
        "we mourn the death",
        "rest in peace",
        "I am grieving the loss",
        "heartbroken at the funeral",
        "they died and I weep",
    ),
    "joy": (
        "I am so happy",
        "what a joyful day",
        "glad and delighted",
        "it was a pleasure and fun",
        "smiling with happiness",
    ),
    "love": (
        "I love this",
        "I adore them",
        "my beloved and dear one",
        "she is lovely, I love her",
        "with all my heart and affection",
    ),
    "nervousness": (
        "I am nervous",
        "so anxious about it",
        "worried and tense",
        "my hands are shaking from stress",
        "uneasy before the exam",
    ),
    "optimism": (
        "I hope it works",
        "it will get better soon",
        "hopeful for the future",
        "looking forward, it should be fine",
        "I believe we can win",
    ),
    "pride": (
        "I am so proud",
        "proud of my achievement",
        "we earned this honor",
        "a proud moment, we accomplished it",
        "I take pride in that",
    ),
    "realization": (
        "I just realized it",
        "now I understand",
        "it turns out I was wrong",
        "oh, I never noticed that before",
        "suddenly it became clear",
    ),
    "relief": (
        "what a relief",
        "thank goodness it is over",
        "I can finally relax",
        "relieved that they are safe",
        "glad that it ended well",
    ),
    "remorse": (
        "I am so sorry",
        "I apologize for that",
        "I regret what I said",
        "it was my fault, forgive me",
        "I feel guilty about it",
    ),
    "sadness": (
        "I am so sad",
        "it made me cry",
        "lonely and unhappy",
        "tears and sorrow",
        "a miserable and depressing day",
    ),
    "surprise": (
        "I am so surprised",
        "wow, that was unexpected",
        "what a shock",
        "I was astonished",
        "surprising, I cannot believe it",
    ),
    "neutral": (
        "it is on the second page",
        "the meeting is at noon",
        "there are three of them",
        "the number is on the list",
        "it takes about an hour",
    ),
}

# how often each emotion occurs in the real training set, in the order of LABELS
_PRIOR = (
    4130,
    2328,
    1567,
    2470,
    2939,
    1087,
    1368,
    2191,
    641,
    1269,
    2022,
    793,
    303,
    853,
    596,
    2662,
    77,
    1452,
    2086,
    164,
    1581,
    111,
    1110,
    153,
    545,
    1326,
    1060,
    14219,
)


def sentence(emotions: Sequence[str], rng: np.random.Generator) -> str:
    """Draw a sentence with a clause for each of ``emotions``, keys of `CLAUSES`."""
    start = " ".join(str(rng.choice(words)) for words in (WHO, DID, WHEN))
    clauses = [str(rng.choice(CLAUSES[emotion])) for emotion in emotions]
    return ", ".join([start, *clauses]) + str(rng.choice([".", "!", "...", " :)", ""]))


def goemotions(out: Path, utterances: int, seed: int) -> None:
    """Write GoEmotions: ``train.tsv``, ``dev.tsv``, ``test.tsv`` and ``labels.txt``.

    A line is a comment, label ids with commas, and an id, between tabs; one comment in four
    says something else than its labels.
    """
    with staged(out, utterances, seed) as folder:
        sizes = phase_sizes(utterances)
        for phase, split in SPLITS.items():
            rng = generator(seed, "goemotions", phase)
            n = sizes[split]
            labels = several(primary(n, _PRIOR, rng), LABELS, _PRIOR, 0, rng)
            source = np.where(rng.random(n) < FAITHFUL["text"], np.arange(n), rng.permutation(n))
            lines = []
            for i in range(n):
                ids = ",".join(map(str, np.flatnonzero(labels[i])))
                text = sentence([LABELS[c] for c in np.flatnonzero(labels[source[i]])], rng)
                lines.append(f"{text}\t{ids}\t{phase[:2]}{i:05d}\n")
            _write(folder / f"{phase}.tsv", "".join(lines))
        _write(folder / "labels.txt", "\n".join(LABELS[:-1]) + "\n")


def xed(out: Path, utterances: int, seed: int) -> None:
    """Write XED: ``en-annotated.tsv``, ``neu_en.txt`` and ``de-projections.tsv``.

    A quarter of the lines are neutral, an eighth German, and one in four says something else than
    its labels.
    """
    names = ["anger", "curiosity", "disgust", "fear", "joy", "sadness", "surprise", "approval"]
    with staged(out, utterances, seed) as folder:
        rng = generator(seed, "xed", "lines")
        neutral = utterances // 4
        projected = utterances // 8
        shown = primary(utterances - neutral - projected, [1.0] * len(names), rng)
        faithful = rng.random(len(shown)) < FAITHFUL["text"]
        said = np.where(faithful, shown, rng.permutation(shown))
        lines = [
            f"{sentence([names[s]], rng)} {i}\t{k + 1}\n"
            for i, (k, s) in enumerate(zip(shown, said, strict=True))
        ]
        _write(folder / "en-annotated.tsv", "".join(lines))
        plain = [f"9\t{sentence(['neutral'], rng)} {i}\n" for i in range(neutral)]
        _write(folder / "neu_en.txt", "".join(plain))
        german = [k for k, name in enumerate(names) if name in CLAUSES_OF["deu"]]
        lines = [
            f"{text_in('deu', [names[k]], rng)} {i}\t{k + 1}\n"
            for i, k in enumerate(german[i % len(german)] for i in range(projected))
        ]
        _write(folder / "de-projections.tsv", "".join(lines))


def emobank(out: Path, utterances: int, seed: int) -> None:
    """Write ``emobank.csv``: sentences whose ratings follow the emotion of their clause.

    The ratings lie about the emotion's appraisals, and those of one sentence in four are another
    sentence's.
    """
    names = [label for label in LABELS if label != "neutral"]
    with staged(out, utterances, seed) as folder:
        sizes = phase_sizes(utterances)
        lines = [",".join(emobank_files.COLUMNS)]
        for phase, split in emobank_files.SPLITS.items():
            rng = generator(seed, "emobank", phase)
            n = sizes[split]
            shown = rng.integers(len(names), size=n)
            source = np.where(rng.random(n) < FAITHFUL["text"], np.arange(n), rng.permutation(n))
            for i in range(n):
                text = sentence([names[shown[source[i]]]], rng)
                appraised = np.array(appraisals(names[shown[i]])[:3])
                ratings = 3 + 1.2 * appraised + rng.normal(0, 0.2, 3)
                numbers = ",".join(f"{x:.2f}" for x in np.clip(ratings, 1, 5))
                lines.append(f'{phase}_{i:05d},{phase},{numbers},"{text}"')
        _write(folder / emobank_files.FILE, "\n".join(lines) + "\n")


def _write(path: Path, text: str) -> None:
    with writing(path):
        path.write_bytes(text.encode())
