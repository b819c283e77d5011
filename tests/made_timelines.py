"""Timelines made up for tests: shares + bias = logit, parts + rest = share."""

from __future__ import annotations

import dataclasses

import numpy as np

from moodal.core.emotions import Value
from moodal.core.face_action import (
    BLENDSHAPES,
    FaceAction,
    FaceBox,
    Gaze,
    HeadPose,
    coefficients_of,
    mean_action,
)
from moodal.core.timeline import Moment, Prediction, Timeline, Word
from moodal.model.chain import slice_edges

BASICS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
LINES = (
    ("I told you not to touch that, now look at it!", "anger"),
    ("Well, it cannot be helped.", ""),
    ("We won the first prize, I cannot believe it, this is wonderful news!", "happiness"),
    ("Oh.", "surprise"),
    ("She left without a word, and the house has been so quiet since then.", "sadness"),
)
PATTERNS = {"text": 0.9, "speech": 1.2, "face": 0.5}


def prediction(
    number=0,
    text="I told you.",
    mood="anger",
    start=0.0,
    end=2.0,
    *,
    emotions=BASICS,
    streams=("text", "speech", "face"),
    track=None,
    seed=0,
    name="clip.mp4",
    timed_words=True,
    threshold=0.4,
    **more,
):
    """One utterance whose shares favour ``mood``."""
    rng = np.random.default_rng([seed, number])
    shares, rest, words, moments = {}, {}, [], []
    spoken = (text or "").split()
    for stream in streams:
        size = PATTERNS.get(stream, 0.8)
        share = {e: float(rng.normal(0, 0.4) + (size * 1.6 if e == mood else 0)) for e in emotions}
        shares[stream] = share
        if stream == "text":
            count = len(spoken)
        else:
            count = 0 if start is None else max(1, round(end - start))
        cut = rng.dirichlet(np.full(count, 2.0)) if count else np.zeros(0)
        parts = [{e: 0.9 * c * v + rng.normal(0, 0.05) for e, v in share.items()} for c in cut]
        rest[stream] = {e: v - sum(p[e] for p in parts) for e, v in share.items()}
        edges = [None] * (count + 1) if start is None else np.linspace(start, end, count + 1)
        for i, part in enumerate(parts):
            part = {e: float(v) for e, v in part.items()}
            if stream == "text":
                a, b = (edges[i], edges[i + 1]) if timed_words else (None, None)
                words.append(Word(spoken[i], a and float(a), b and float(b), part))
            else:
                moments.append(Moment(float(edges[i]), float(edges[i + 1]), stream, part))
    bias = {e: float(rng.normal(-1, 0.2)) for e in emotions}
    logits = np.array([bias[e] + sum(s[e] for s in shares.values()) for e in emotions])
    p = np.exp(logits - np.logaddexp.reduce(logits))
    probabilities = dict(zip(emotions, map(float, p), strict=True))
    top = max(probabilities, key=probabilities.get)
    fields = {
        "id": f"{name}#{number + 1}",
        "probabilities": probabilities,
        "decided": (top,) if probabilities[top] >= threshold else (),
        "start": start,
        "end": end,
        "text": text,
        "streams": tuple(streams),
        "shares": shares,
        "bias": bias,
        "sources": {
            e: dict.fromkeys(streams, "learned" if e in BASICS else "guess") for e in emotions
        },
        "words": tuple(words),
        "moments": tuple(moments),
        "rest": rest,
        "quality": {s: {"snr_db": 21.0} for s in streams if s == "speech"},
        "track": track,
    }
    return Prediction(**fields | more)


def timeline(path="clip.mp4", *, lines=LINES, emotions=BASICS, pictures=True, pause=0.6, **more):
    """A video of several utterances, the second of which nothing was said about for sure."""
    predictions, at = [], 0.4
    for i, (text, mood) in enumerate(lines):
        long = 0.5 + 0.32 * len(text.split())
        unsure = {"decided": (), "flags": ("The voice is quiet (-52 dB).",)} if i == 1 else {}
        face = ("text", "speech") if i == 3 else ("text", "speech", "face")
        lacking = {"absent": {"face": "no face"}} if i == 3 else {}
        made = prediction(
            i,
            text,
            mood,
            round(at, 2),
            round(at + long, 2),
            emotions=emotions,
            streams=face,
            track=1,
            name=path,
            **unsure,
            **lacking,
        )
        predictions.append(made)
        at += long + pause
    fields = {
        "duration": round(at, 2),
        "kind": "video",
        "artefact": {"name": "moodal-base", "digest": "sha256:0123abcd", "moodal": "0.2.0"},
        "notes": ("The transcript was made by Whisper tiny.en and may be wrong.",),
    }
    if pictures:
        fields |= {"waveform": waveform(predictions, at), "thumbnails": thumbnails(at)}
    return Timeline(path, tuple(predictions), tuple(emotions), **fields | more)


def sliced(step=0.5, **more):
    """A video whose utterances have slices; the second half of each is sad, whatever it is."""
    whole = timeline(**more)
    predictions = []
    for i, p in enumerate(whole):
        spans = slice_edges(p.start, p.end, step)
        parts = tuple(
            dataclasses.replace(
                prediction(
                    i,
                    p.text,
                    "sadness" if k > len(spans) / 2 else p.top,
                    *span,
                    streams=p.streams,
                    track=p.track,
                    seed=k,
                    id=f"{p.id}.{k}",
                ),
                words=(),
                moments=(),
                rest={},
                quality={},
            )
            for k, span in enumerate(spans, 1)
        )
        predictions.append(dataclasses.replace(p, slices=parts))
    return dataclasses.replace(whole, predictions=tuple(predictions), step=step)


def face_action(at, track=1, *, yaw=10.0, pitch=5.0, roll=-3.0, opening=0.2, **shapes):
    """What a face does in one picture; blendshapes that are not given are 0."""
    return FaceAction(
        at,
        track,
        FaceBox(100.0, 50.0, 80.0, 96.0),
        0.98,
        HeadPose(yaw, pitch, roll),
        Gaze(4.0, -2.0),
        Gaze(-6.0, -7.0),
        opening,
        coefficients_of({**dict.fromkeys(BLENDSHAPES, 0.0), **shapes}),
    )


def acted(whole, fps=5.0):
    """The same recording with what the face does; no face is seen in its last second."""
    predictions = []
    for p in whole:
        times = np.arange(np.ceil(p.start * fps), p.end * fps) / fps
        smile = 0.9 if p.top == "happiness" else 0.1
        shapes = {"mouthSmileLeft": smile, "mouthSmileRight": smile, "browInnerUp": 0.3}
        face = tuple(face_action(float(at), yaw=float(4 * at), **shapes) for at in times)
        if "face" not in p.streams:
            face = ()
        slices = tuple(
            dataclasses.replace(part, face=(mean_action(own, part.start),))
            if (own := [a for a in face if part.start <= a.at < part.end])
            else part
            for part in p.slices
        )
        predictions.append(dataclasses.replace(p, face=face, slices=slices))
    return dataclasses.replace(
        whole,
        predictions=tuple(predictions),
        face_between=(face_action(0.0), face_action(0.2)),
        faceless=tuple(round(whole.duration - at, 2) for at in (0.8, 0.6, 0.4, 0.2)),
    )


def text_timeline(path="letter.txt", *, lines=LINES, emotions=BASICS):
    """A text without times."""
    predictions = tuple(
        prediction(i, text, mood, None, None, streams=("text",), name=path, emotions=emotions)
        for i, (text, mood) in enumerate(lines)
    )
    absent = {"speech": "no sound", "face": "no picture"}
    return Timeline(path, predictions, tuple(emotions), kind="text", absent=absent)


def waveform(predictions, seconds, n=800):
    """[n, 2] float32."""
    rng = np.random.default_rng(0)
    at = np.linspace(0, seconds, n)
    level = np.full(n, 0.02)
    for p in predictions:
        level[(at >= p.start) & (at < p.end)] = 0.4
    high = level * rng.uniform(0.3, 1, n) * (0.6 + 0.4 * np.sin(at * 17))
    return np.stack([-high, high], 1).astype(np.float32)


def thumbnails(seconds, count=6):
    """Grey discs with eyes and a mouth, (s, [48, 48] uint8)."""
    y, x = np.mgrid[:48, :48]
    made = []
    for i in range(count):
        face = np.full((48, 48), 90, np.uint8)
        face[(x - 24) ** 2 + (y - 24) ** 2 < 20**2] = 190
        for eye in (17, 31):
            face[(x - eye) ** 2 + (y - 19) ** 2 < 9] = 40
        curve = (i - 2.5) / 20 * (x - 24) ** 2 / 6
        face[(abs(y - 33 + curve) < 1.5) & (abs(x - 24) < 9)] = 40
        made.append((seconds * (i + 0.5) / count, face))
    return tuple(made)


VALUES = (Value.of("valence"), Value.of("arousal"), Value("trust", 0, 4))


def valued(timeline, values=VALUES):
    """The same recording, answered with values in place of emotions."""
    rng = np.random.default_rng(1)
    emotions = ("probabilities", "shares", "bias", "sources", "rest")
    without = {**{key: {} for key in emotions}, "decided": (), "words": (), "moments": ()}
    predictions = tuple(
        dataclasses.replace(
            p, **without, values={v.name: float(rng.uniform(v.low, v.high)) for v in values}
        )
        for p in timeline
    )
    return dataclasses.replace(timeline, predictions=predictions, emotions=(), values=values)


NAMES = ("ANNA", None, "Maria Lee", "ANNA, BOB", "=1+1\x1b[31m\n-->")
"""Speakers of five utterances; the last name is hostile."""


def named(timeline, names=NAMES):
    """The same recording, whose subtitles name speakers; slices have that of their utterance."""

    def speaking(p, name):
        slices = tuple(dataclasses.replace(part, speaker=name) for part in p.slices)
        return dataclasses.replace(p, speaker=name, slices=slices)

    predictions = tuple(map(speaking, timeline, names))
    return dataclasses.replace(timeline, predictions=predictions)


def dimensioned(timeline, answer="answer"):
    """The same recording with dimensions of every stream and the intensity of the voice."""
    from moodal.core.dimensions import Dimensions

    predictions = []
    for i, p in enumerate(timeline):
        rows = {
            s: Dimensions(-0.4 + 0.2 * i, 0.1 * i, 0.05, "learned" if s == "text" else "mapped")
            for s in p.streams
        }
        if len(p.streams) > 1:
            rows[answer] = Dimensions(-0.5 + 0.25 * i, 0.3, -0.1 * i, "mapped")
        own = {"speech": 0.2 * i} if "speech" in p.streams else {}
        predictions.append(dataclasses.replace(p, dimensions=rows, intensity=own))
    return dataclasses.replace(timeline, predictions=tuple(predictions))
