"""observe: a recording -> what each modality observes of each of its utterances, as they end.

Sound and pictures are read once, block by block and in step. An utterance is given when its sound
and its pictures have passed and its words are known: within a second where the words are given,
within 31 s where Whisper transcribes (which hears groups of up to 28 s), at the end for one
utterance that is the whole recording. Of three hours no more is kept than of three minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from moodal.core.errors import AbsentError, UsageError
from moodal.media.recording import Recording
from moodal.media.subtitles import read_subtitles
from moodal.modalities.modality import Modality
from moodal.modalities.text.treebank import read_text
from moodal.model.observation import Observation, Summary
from moodal.model.options import PredictOptions
from moodal.model.reading import Reading
from moodal.model.segmentation import Cues
from moodal.model.speakers import Speakers
from moodal.model.transcription import Transcriber


def observe(
    recording: Recording,
    modalities: Mapping[str, Modality],
    options: PredictOptions,
    transcribe: Transcriber | None = None,
    speakers: Speakers | None = None,
) -> Iterator[Observation | Summary]:
    """Observe a recording once, from its beginning to its end.

    Args:
        recording: an open recording, see `moodal.media.recording.opened`.
        modalities: name -> a fresh object for this recording.
        options: the options of the prediction.
        transcribe: the transcriber of words that are not given; None for no transcription.
        speakers: tells who speaks; None: nobody is asked.

    Yields:
        An `Observation` for each utterance as it ends, in the order of their beginnings; at last
        one `Summary`.

    Raises:
        DataError: nothing of it can be read.
        AbsentError: it has no pictures, and actions of faces were asked for.
        UsageError: options that do not fit it.
    """
    require_fit(options, recording)
    reading = Reading(recording, modalities, options, transcribe, speakers)
    if recording.kind == "text":
        assert recording.path is not None
        yield from reading.texts(read_text(recording.path))
    elif recording.kind == "subtitles":
        assert recording.path is not None
        reading.absences.record_missing("sound", "subtitles have no sound")
        reading.absences.record_missing("pictures", "no pictures")
        cues = read_subtitles(recording.path, on_damage=reading.absences.note)
        yield from reading.segments(Cues(cues).begin())
    else:
        yield from reading.run()
    yield reading.summary()


def observe_text(
    text: str, modalities: Mapping[str, Modality], options: PredictOptions
) -> Iterator[Observation | Summary]:
    """Observe a text sentence by sentence, and yield what `observe` yields.

    Raises:
        AbsentError: actions of faces were asked for.
    """
    recording = Recording("", "text")
    _require_pictures(options, recording)
    reading = Reading(recording, modalities, options)
    yield from reading.texts(text)
    yield reading.summary()


def require_fit(options: PredictOptions, recording: Recording) -> None:
    """Refuse options that do not fit a recording.

    Raises:
        AbsentError, UsageError: say which one to leave out.
    """
    _require_pictures(options, recording)
    if recording.kind in ("text", "subtitles") and (options.text or options.subtitles):
        raise UsageError(f"{recording.name} is a text itself; leave --text and --subtitles out.")
    if recording.kind == "image" and options.subtitles:
        raise UsageError(f"{recording.name} is a picture, which has no subtitles; use --text.")


def _require_pictures(options: PredictOptions, recording: Recording) -> None:
    """Check that faces can be seen if their actions were asked for.

    Raises:
        AbsentError: the recording has no pictures.
    """
    if options.face_actions and recording.pictures is None:
        name = recording.name or "A text"
        raise AbsentError(f"{name} has no pictures in which faces act; leave --face-actions out.")
