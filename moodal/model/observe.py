"""gather: a source of any kind -> what each modality says of each of its utterances."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, MissingDependencyError, UsageError
from moodal.core.records import RATE
from moodal.media.blocks import Block, array_blocks, blocks
from moodal.media.probe import Media, probe
from moodal.media.subtitles import read_subtitles
from moodal.modalities.face.observe import Seen, look
from moodal.modalities.modality import Reading
from moodal.modalities.speech.segment import Span, joined, spans_of_cues, speech_spans
from moodal.modalities.speech.spoken import QUIET, audible, utterance_extent
from moodal.modalities.speech.stretches import (
    Envelope,
    Utterance,
    silent_stretches,
    slices,
    spoken_words,
)
from moodal.modalities.text.language import looks_english
from moodal.modalities.text.sentences import sentences
from moodal.modalities.text.treebank import read_text
from moodal.model.evidence import Reader


@dataclass(frozen=True)
class Source:
    """What `moodal.model.predictor.Predictor.predict` is given, see there."""

    source: Path | str | np.ndarray | None
    rate: int | None = None
    text: str | None = None
    subtitles: Path | str | None = None
    whole: bool = False
    asr: bool | None = None
    faces: str = "main"
    fps: float = 5.0
    threads: int = 1


@dataclass
class Recording:
    """What was gathered.

    Attributes:
        path, kind, duration: of the source.
        utterances: in the order of their time.
        readings: of each utterance, modality -> `Reading`; the faces are in ``seen``.
        seen: the faces, None where there are no pictures.
        absent: modality -> why the whole recording lacks it.
        notes: what a reader should know of all of it.
    """

    path: str
    kind: str
    duration: float | None = None
    utterances: list[Utterance] = field(default_factory=list)
    readings: list[dict[str, Reading]] = field(default_factory=list)
    seen: Seen | None = None
    absent: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    waveform: np.ndarray | None = None


def gather(given: Source, readers: Mapping[str, Reader]) -> Recording:
    """Read a source with the branches that are wanted.

    Raises:
        DataError: nothing of it can be read.
        UsageError: arguments that do not go together.
    """
    if given.text is not None and given.subtitles is not None:
        raise UsageError("Give the text or the subtitles, not both.")
    if given.source is None:
        if given.text is None:
            raise UsageError("There is nothing to predict: give a file, samples, or a text.")
        return _of_text(given.text, "", readers)
    if isinstance(given.source, np.ndarray):
        if given.rate is None:
            raise UsageError("Samples need their rate, samples per second, e.g. rate=16000.")
        samples, rate = given.source, given.rate
        recording = Recording("", "audio", absent={"face": "no pictures"})
        _hear(recording, given, readers, lambda: array_blocks(samples, rate))
        return _finished(recording, readers)
    media = probe(given.source)
    recording = Recording(str(given.source), media.kind, media.seconds)
    if media.kind in ("text", "subtitles") and (given.text or given.subtitles):
        raise UsageError(f"{given.source} is a text itself; leave --text and --subtitles out.")
    if media.kind == "image" and given.subtitles:
        raise UsageError(f"{given.source} is a picture, which has no subtitles; use --text.")
    if media.kind == "text":
        return _of_text(read_text(given.source), str(given.source), readers)
    if media.kind == "subtitles":
        for cue in read_subtitles(given.source):
            recording.utterances.append(Utterance(cue.start, cue.end, cue.text))
        return _finished(recording, readers)
    _picture(recording, given, readers, media)
    if media.has_audio:
        _hear(
            recording, given, readers, lambda: blocks(str(given.source), on_damage=_tell(recording))
        )
    else:
        recording.absent["speech"] = (
            "no sound" if media.kind == "video" else "a picture has no sound"
        )
        recording.utterances = _said(given)
    _see(recording, given, media)
    return _finished(recording, readers)


def _tell(recording: Recording) -> Callable[[str], None]:
    def tell(said: str) -> None:
        if said not in recording.notes:
            recording.notes.append(said)

    return tell


def _said(given: Source) -> list[Utterance]:
    """The utterances that are given, where no sound times them."""
    if given.subtitles is not None:
        return [Utterance(c.start, c.end, c.text) for c in read_subtitles(given.subtitles)]
    return [] if given.text is None else [Utterance(text=given.text)]


def _of_text(text: str, path: str, readers: Mapping[str, Reader]) -> Recording:
    absent = {"speech": "a text has no sound", "face": "no pictures"}
    recording = Recording(path, "text", absent=absent)
    recording.utterances = [Utterance(text=sentence) for sentence in sentences(text)]
    if not recording.utterances:
        recording.absent["text"] = "no words"
    return _finished(recording, readers)


def _hear(
    recording: Recording,
    given: Source,
    readers: Mapping[str, Reader],
    sound: Callable[[], Iterable[Block]],
) -> None:
    """Utterances by what is given, else by where somebody speaks; and what is heard in each."""
    cues = None if given.subtitles is None else read_subtitles(given.subtitles)
    envelope = Envelope()
    try:
        if cues is not None:
            for _ in envelope.passing(sound()):
                pass
            spans = spans_of_cues(cues)
            made = [Utterance(c.start, c.end, c.text) for c in cues]
        else:
            spans = speech_spans(envelope.passing(sound()))
            if given.whole or given.text is not None:
                if not spans and not given.whole:
                    recording.absent["speech"] = "no speech"
                first, last = (
                    (0.0, envelope.seconds)
                    if given.whole or not spans
                    else (spans[0].start, spans[-1].end)
                )
                spoken = bool(spans) or given.whole
                heard = utterance_extent(spans, envelope.seconds)
                spans, bounds = [heard], _everything(recording, envelope) if given.whole else heard
                made = [Utterance(bounds.start, bounds.end, given.text, spoken=spoken)]
            else:
                made = [Utterance(s.start, s.end) for s in spans]
    except DataError:
        wrong = isinstance(given.source, np.ndarray)
        if wrong or (recording.kind == "audio" and given.text is None and cues is None):
            raise
        recording.absent["speech"] = "the sound cannot be decoded"
        recording.utterances = _said(given)
        return
    recording.waveform = envelope.drawn
    recording.duration = max(recording.duration or 0.0, envelope.seconds)
    if not spans or envelope.peak < QUIET:
        recording.absent["speech"] = "silence" if envelope.peak < QUIET else "no speech"
        if given.text is not None and not made:
            made = [Utterance(0.0, envelope.seconds, given.text, spoken=False)]
    for utterance, span in zip(made, spans, strict=False):
        if span.start >= envelope.seconds:
            recording.notes.append(
                f"A subtitle begins at {span.start:.1f} s, after the sound ends."
            )
            utterance.spoken = False
    if "text" in readers and any(u.text is None and u.spoken for u in made):
        _transcribe(recording, given, made, spans, sound)
    recording.utterances = made
    recording.readings = [{} for _ in made]
    if "speech" in readers and "speech" not in recording.absent:
        for i, samples in slices(sound(), spans):
            if made[i].spoken and audible(samples):
                reading = readers["speech"].speech(samples, spans[i].start)
                recording.readings[i]["speech"] = reading
        if not any(recording.readings):
            recording.absent["speech"] = "too short or too quiet"


def _everything(recording: Recording, envelope: Envelope) -> Span:
    """Return the span of all sound and pictures."""
    seen = 0.0 if recording.seen is None else recording.seen.last
    return Span(0.0, max(envelope.seconds, seen))


def _transcribe(
    recording: Recording,
    given: Source,
    made: Sequence[Utterance],
    spans: Sequence[Span],
    sound: Callable[[], Iterable[Block]],
) -> None:
    if given.asr is False:
        recording.absent["text"] = "no transcript; --asr makes one"
        return
    try:
        heard = spoken_words(joined(spans), spans, sound, given.threads)
    except MissingDependencyError as error:
        if given.asr:
            raise
        recording.absent["text"] = "no transcript"
        recording.notes.append(f"The words were not used: {error}")
        return
    for i, utterance in enumerate(made):
        utterance.words = heard.get(i, ())
        utterance.text = " ".join(word.text for word in utterance.words)


def _picture(
    recording: Recording, given: Source, readers: Mapping[str, Reader], media: Media
) -> None:
    if media.kind == "audio" or not (media.has_video or media.kind == "image"):
        recording.absent["face"] = "no pictures"
    elif "face" in readers:
        assert isinstance(given.source, Path | str)
        try:
            recording.seen = look(given.source, readers["face"], given.fps, _tell(recording))
        except DataError as error:
            recording.absent["face"] = "the pictures cannot be decoded"
            recording.notes.append(str(error))
        else:
            if not recording.seen.sightings:
                recording.absent["face"] = "no face"


def _see(recording: Recording, given: Source, media: Media) -> None:
    """Utterances for stretches in which nobody speaks and a face is seen."""
    last = 0.0
    if recording.seen is not None and recording.seen.sightings:
        last = recording.seen.last
        if media.kind != "image":
            recording.duration = max(recording.duration or 0.0, last) or None
    timed = any(u.start is not None for u in recording.utterances)
    if media.kind == "image" or (not timed and (given.whole or given.text is not None)):
        recording.utterances = [Utterance(text=given.text, spoken=given.text is not None)]
        recording.readings = [{}]
        if media.kind != "image" and last:
            recording.utterances[0].start, recording.utterances[0].end = 0.0, last
        return
    if recording.seen is None or not recording.seen.sightings:
        return
    recording.readings = recording.readings or [{} for _ in recording.utterances]
    spans = [Span(u.start or 0.0, u.end or 0.0) for u in recording.utterances]
    silent = silent_stretches(spans, [s.at for s in recording.seen.sightings])
    if not spans and not silent:  # a face that is seen for less than a second
        first = recording.seen.sightings[0].at
        silent = [Span(first, max(last, first + 1 / given.fps))]
    pairs = list(zip(recording.utterances, recording.readings, strict=True))
    pairs += [(Utterance(s.start, s.end, spoken=False), {}) for s in silent]
    pairs.sort(key=lambda pair: pair[0].start or 0.0)
    recording.utterances = [u for u, _ in pairs]
    recording.readings = [r for _, r in pairs]


def _finished(recording: Recording, readers: Mapping[str, Reader]) -> Recording:
    """With the readings of the texts."""
    if not recording.readings:
        recording.readings = [{} for _ in recording.utterances]
    alone = recording.kind in ("text", "subtitles")
    seen = recording.seen is not None and bool(recording.seen.sightings)
    foreign = 0
    for utterance, readings in zip(recording.utterances, recording.readings, strict=True):
        if "text" not in readers or not utterance.text:
            continue
        english = looks_english(utterance.text)
        if not english:
            foreign += 1
        if english or alone or not (readings or seen):
            reading: Any = readers["text"].text(utterance.text, utterance.words)
            if reading is not None:
                readings["text"] = reading
    if foreign:
        used = "its score means little" if alone else "those words were not used"
        texts = "1 text does" if foreign == 1 else f"{foreign} texts do"
        recording.notes.append(f"{texts} not look English, the one language known: {used}.")
    return recording
