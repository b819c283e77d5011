"""Make examples/clip.mp4 and clip.srt: a drawn face that says three sentences in three moods.

    pip install hibari-tts==0.2.1
    python tools/make_clip.py

The sentences are this project's. They are spoken by hibari-tts (Apache-2.0; its voice, distilled
from Kokoro-82M's "heart", Apache-2.0, lies in its wheel, and its licence lays no claim on what
it says), whose pitch, tempo, loudness and brightness are bent here towards the mood. The face is
`moodal.lookalikes.face`: nobody's likeness. Sound and picture follow from fixed seeds; the
file's bytes also from the versions of PyAV, ONNX Runtime and NumPy.

The clip shows what moodal prints. It is no test of it: the moods are put on.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np

from moodal.core.files import replacing
from moodal.lookalikes.face import draw_face

RATE = 24000  # of hibari's voices, Hz
FPS = 25
SIZE = 320  # pixels of a side
PAUSE = 0.7  # s before, between and after the sentences


class Line(NamedTuple):
    """A sentence and how it is said and looked.

    ``speed``: of speech, 1 is the voice's own. ``shift``: semitones. ``spread``: factor of the
    melody's range. ``bright``: nepers by which the highest frequencies gain over the lowest.
    ``level``: dB below full scale. ``smile``, ``brow``: -1 to 1, as `draw_face`.
    """

    text: str
    speed: float
    shift: float
    spread: float
    bright: float
    level: float
    smile: float
    brow: float


LINES = (
    Line("We won, and I am so happy!", 1.1, 3.0, 1.7, 0.3, -19, 1.0, 0.5),
    Line("How dare you touch that!", 1.1, 0.5, 1.3, 1.2, -16, -0.7, -1.0),
    Line("I miss her so much.", 0.8, -2.5, 0.5, -0.6, -27, -1.0, 0.35),
)


def speak(line: Line, voice: Any, rng: np.random.Generator) -> np.ndarray:
    """[samples] float32 at 24 kHz."""
    from hibari import dsp

    parts = []
    for phonemes in voice.phonemize(line.text):
        given = {
            "ids": np.asarray([voice.ids(phonemes)], np.int64),
            "speed": np.asarray([line.speed], np.float32),
        }
        harmonics, turn, noise, free, phase, pitch = (o[0] for o in voice.sess.run(None, given))
        voiced = pitch > 40
        middle = np.exp(np.log(pitch[voiced]).mean())
        pitch = pitch.copy()
        bent = middle * 2 ** (line.shift / 12) * (pitch[voiced] / middle) ** line.spread
        pitch[voiced] = np.clip(bent, 70, 500)
        tilt = (line.bright * np.linspace(0, 1, len(harmonics), dtype=np.float32))[:, None]
        parts.append(dsp.synth(harmonics + tilt, turn, noise, free + tilt, phase, pitch, rng))
    sound = np.concatenate(parts)
    sound *= 10 ** (line.level / 20) / np.sqrt(np.mean(sound**2))
    return np.tanh(sound).astype(np.float32)


def scene() -> tuple[np.ndarray, list[tuple[float, float, Line]]]:
    """The sound, and (start s, end s, line) of each sentence."""
    from hibari import Hibari

    voice, rng = Hibari(), np.random.default_rng(4)
    pause = np.zeros(round(PAUSE * RATE), np.float32)
    parts, spans = [pause], []
    for line in LINES:
        sound = speak(line, voice, rng)
        heard = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())
        sound = sound[heard[0] : heard[-1] + 1]
        start = sum(map(len, parts)) / RATE
        spans.append((start, start + len(sound) / RATE, line))
        parts += [sound, pause]
    whole = np.concatenate(parts)
    whole += rng.normal(0, 3e-4, len(whole)).astype(np.float32)  # a room, not a vacuum
    return whole, spans


def faces(sound: np.ndarray, spans: list[tuple[float, float, Line]]) -> list[np.ndarray]:
    """The pictures, [SIZE, SIZE, 3] uint8: the mouth opens with the sound, the mood glides."""
    count = int(len(sound) / RATE * FPS)
    at = (np.arange(count) + 0.5) / FPS
    step = RATE // FPS
    loud = np.sqrt((sound[: count * step].reshape(count, step) ** 2).mean(1))
    mouth = np.zeros(count)
    knots, smiles, brows = [0.0], [0.0], [0.0]
    for start, end, line in spans:
        inside = (at >= start) & (at < end)
        mouth[inside] = 0.6 * loud[inside] / loud[inside].max()
        knots += [start - 0.05, end + 0.15]
        smiles += [line.smile] * 2
        brows += [line.brow] * 2
    smile, brow = np.interp(at, knots, smiles), np.interp(at, knots, brows)
    return [
        draw_face(SIZE, *(float(v) for v in (a, b)), mouth=float(m))
        for a, b, m in zip(smile, brow, mouth, strict=True)
    ]


def write_film(path: Path, pictures: list[np.ndarray], sound: np.ndarray) -> None:
    """MP4: H.264 and AAC."""
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as film:
        video: Any = film.add_stream("libx264", rate=FPS)
        video.width = video.height = SIZE
        video.pix_fmt = "yuv420p"
        video.options = {"crf": "26", "preset": "slow", "threads": "1"}
        audio: Any = film.add_stream("aac", rate=RATE, layout="mono")
        audio.bit_rate = 64000
        for picture in pictures:
            film.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(video.encode())
        size = 1024
        for i in range(0, len(sound), size):
            block = sound[None, i : i + size]
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, i, Fraction(1, RATE)
            film.mux(audio.encode(frame))
        film.mux(audio.encode())


def subtitles(spans: list[tuple[float, float, Line]]) -> str:
    """The sentences as SubRip."""

    def stamp(seconds: float) -> str:
        ms = round(seconds * 1000)
        return f"00:00:{ms // 1000:02d},{ms % 1000:03d}"

    return "\n".join(
        f"{i}\n{stamp(start)} --> {stamp(end)}\n{line.text}\n"
        for i, (start, end, line) in enumerate(spans, 1)
    )


def main(folder: Path) -> None:
    """Write both files into a folder."""
    sound, spans = scene()
    with replacing(folder / "clip.mp4") as part:
        write_film(part, faces(sound, spans), sound)
    with replacing(folder / "clip.srt") as part:
        part.write_text(subtitles(spans), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "examples")
