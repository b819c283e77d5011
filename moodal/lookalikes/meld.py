"""MELD's look-alike: csv files, and small mp4 clips with a drawn face and a spelling voice."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from types import ModuleType

import numpy as np

from moodal.core.errors import MissingDependencyError, writing
from moodal.corpora.meld import EMOTIONS, FOLDERS, SPLITS
from moodal.lookalikes.dialogues import sentence
from moodal.lookalikes.files import generator, staged
from moodal.lookalikes.signal import phase_sizes, primary
from moodal.lookalikes.speech import FAITHFUL, speech
from moodal.lookalikes.voice import RATE, speaker
from moodal.lookalikes.words import appraisals

PEOPLE = ("Chandler", "Joey", "Monica", "Phoebe", "Rachel", "Ross")
PRIOR = (0.12, 0.04, 0.05, 0.19, 0.40, 0.08, 0.12)
WORDS = dict(
    zip(EMOTIONS, ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprised"), strict=True)
)
"""Emotion -> its name in IEMOCAP's look-alike, whose sentences these are."""

SENTIMENTS = {"joy": "positive", "neutral": "neutral"}
FRAMES = 10
"""Pictures per second."""

SIZE = 48
"""Height and width of a picture."""

_HEADER = [
    "Sr No.",
    "Utterance",
    "Speaker",
    "Emotion",
    "Sentiment",
    "Dialogue_ID",
    "Utterance_ID",
    "Season",
    "Episode",
    "StartTime",
    "EndTime",
]


def meld(out: Path, utterances: int, seed: int) -> None:
    """Write MELD: ``train_sent_emo.csv`` etc., with ``train_splits/dia0_utt0.mp4`` etc.

    Six speakers in dialogues of four turns, over all three parts; apostrophes are saved in the
    wrong encoding, as in the real files, and the last clip of train is missing.

    Raises:
        MissingDependencyError: PyAV, which writes the clips, is not installed.
    """
    av = _av()
    cast_rng = generator(seed, "meld")
    cast = {name: speaker(cast_rng, female=name in PEOPLE[2:5]) for name in PEOPLE}
    with staged(out, utterances, seed) as folder:
        sizes = phase_sizes(utterances)
        for part, split in SPLITS.items():
            rng = generator(seed, "meld", part)
            rows = [_HEADER]
            for i, c in enumerate(primary(sizes[split], PRIOR, rng)):
                emotion, who = EMOTIONS[c], str(rng.choice(PEOPLE))
                text = sentence(WORDS[emotion], rng)
                heard = emotion if rng.random() < FAITHFUL else str(rng.choice(EMOTIONS))
                sound = speech(text, heard, cast[who], rng)
                seconds = len(sound) / RATE
                wrong = text.replace("'", "\x92")
                rows.append(
                    [
                        str(i + 1),
                        wrong,
                        who,
                        emotion,
                        SENTIMENTS.get(emotion, "negative"),
                        str(i // 4),
                        str(i % 4),
                        "1",
                        str(1 + i // 40),
                        "00:01:00,000",
                        f"00:01:{int(seconds):02d},{int(seconds % 1 * 1000):03d}",
                    ]
                )
                if part == "train" and i == sizes[split] - 1:
                    continue
                path = folder / FOLDERS[part] / f"dia{i // 4}_utt{i % 4}.mp4"
                seen = emotion if rng.random() < FAITHFUL else str(rng.choice(EMOTIONS))
                _clip(av, path, sound, _face(seen, int(np.ceil(seconds * FRAMES)), rng))
            table = io.StringIO()
            csv.writer(table, lineterminator="\n").writerows(rows)
            path = folder / f"{part}_sent_emo.csv"
            with writing(path):
                path.write_bytes(table.getvalue().encode())


def _av() -> ModuleType:
    try:
        import av
    except ImportError:
        raise MissingDependencyError(
            "MELD's look-alike is made of mp4 clips, which PyAV writes; install it with "
            "`pip install av`."
        ) from None
    module: ModuleType = av
    return module


def _face(emotion: str, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Draw faces [T, 48, 48] uint8: arousal opens the eyes, pleasantness curves the mouth."""
    pleasant, arousal, _, novelty = np.array(appraisals(emotion)) + rng.normal(0, 0.2, 4)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / (SIZE / 2) - 1
    pictures = []
    for t in range(frames):
        sway = 0.05 * np.sin(0.7 * t + 2 * arousal)
        u, v = x - sway, y
        image = np.where(u**2 + (v / 1.15) ** 2 < 0.7, 190.0, 60.0)
        eye = 0.09 + 0.04 * arousal
        image[(abs(abs(u) - 0.3) < 0.12) & (abs(v + 0.2) < eye)] = 20
        brow = -0.45 - 0.08 * novelty + 0.3 * (abs(u) - 0.3) * (pleasant < 0)
        image[(abs(abs(u) - 0.3) < 0.16) & (abs(v - brow) < 0.04)] = 40
        open_by = 0.03 + 0.08 * abs(np.sin(1.9 * t))
        curve = 0.45 - 1.2 * pleasant * (u**2 - 0.06)
        image[(abs(u) < 0.35) & (abs(v - curve) < open_by)] = 90
        pictures.append(image)
    return np.stack(pictures).clip(0, 255).astype(np.uint8)


def _clip(av: ModuleType, path: Path, sound: np.ndarray, pictures: np.ndarray) -> None:
    """Write an mp4: MPEG-4 video, AAC sound at 16 kHz; the same bytes for the same input."""
    content = io.BytesIO()
    with av.open(content, "w", format="mp4", options={"fflags": "+bitexact"}) as file:
        video = file.add_stream("mpeg4", rate=FRAMES)
        video.width = video.height = SIZE
        video.pix_fmt = "yuv420p"
        video.codec_context.thread_count = 1
        audio = file.add_stream("aac", rate=RATE, options={"aac_coder": "fast"})
        audio.codec_context.layout = "mono"
        audio.codec_context.bit_rate = 64000
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.repeat(picture[..., None], 3, 2), format="rgb24")
            file.mux(video.encode(frame))
        file.mux(video.encode())
        for start in range(0, len(sound), 1024):
            block = np.ascontiguousarray(sound[None, start : start + 1024])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            file.mux(audio.encode(frame))
        file.mux(audio.encode())
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.getvalue())
