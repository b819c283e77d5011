"""Options of prediction and evaluation; the command line and Python share them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from moodal.core.errors import UsageError
from moodal.core.votes import HardRule
from moodal.modalities import MODALITIES
from moodal.modalities.speech.transcribe import AUTO, require_language
from moodal.model.level import STRENGTH
from moodal.model.speakers import CHANNELS, read_speakers
from moodal.model.vocabulary import split_words

LANGUAGE_TAG = re.compile("[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
"""A language tag, as far as it is read here."""

SHORTEST_STEP, LONGEST_STEP = 0.25, 5.0
"""Seconds of the shortest and the longest slices of an utterance."""

Faces = Literal["main", "all"]
Kind = TypeVar("Kind", bound="Options")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options that prediction and evaluation share.

    Attributes:
        emotions: words that the model can score, or one text with commas, semicolons or slashes
            between them; by default its own.
        vectors: the source of vectors of emotion words that the model does not carry.
        streams: the modalities that may be used, or one text with commas; default: all of the
            model's.
        asr: True: transcribe with Whisper; False: never transcribe; None: a prediction
            transcribes if no words are given and the extra `asr` is installed, an
            evaluation does not.
        asr_model: "tiny.en", which knows English alone; "base", about a hundred languages; the
            folder of a Whisper model in CTranslate2's format; or "auto": tiny.en for English and
            base, where it is installed, for what sounds like another language.
        language: the language of all that is said or written (BCP 47, such as "de"); None: it is
            found, see `moodal.modalities.text.language`.
        prior: how probable each basic emotion is beforehand, see `moodal.model.priors.prior_of`;
            None: the model's own (of a fused artefact with channels: all alike).
        level: whether the constant of the recording channel is taken off, which is estimated
            from the other utterances at hand, see `moodal.model.level`; of an evaluation also
            the name of a column of channels.
        level_strength: the part of the estimated constant that is taken off, above 0 and at most
            1; more helps where the utterances are of many emotions, and harms elsewhere.
    """

    emotions: Sequence[str] | str | None = None
    vectors: str | None = None
    streams: Sequence[str] | str | None = None
    asr: bool | None = None
    asr_model: str = AUTO
    language: str | None = None
    prior: str | Path | Mapping[str, float] | None = None
    level: bool | str = False
    level_strength: float = STRENGTH

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if not _is_default(option, value):  # to build the check of a type takes a while
                _require_type(type(self), option.name, value)
        if self.language is not None and not LANGUAGE_TAG.fullmatch(self.language):
            raise UsageError(
                f"language is a tag such as de or pt-BR (BCP 47); got {self.language!r}."
            )
        require_language(self.asr_model, self.language or "")
        if not 0 < self.level_strength <= 1:
            raise UsageError(
                f"level_strength is above 0 and at most 1; got {self.level_strength:g}."
            )

    def words(self, known: Collection[str] = ()) -> list[str] | None:
        """Return the emotions one by one; None for the model's own.

        Args:
            known: the words of the model, of which one may hold a slash.
        """
        if isinstance(self.emotions, str) and self.emotions:
            return split_words(self.emotions, known)
        return _listed(self.emotions or None)

    def chosen(self, modalities: Sequence[str], name: str) -> tuple[str, ...]:
        """Choose among a model's modalities.

        Args:
            modalities: the modalities of the model.
            name: the name of the model, for messages.

        Raises:
            UsageError: a modality is unknown, or the model reads none of them.
        """
        if self.streams is None:
            return tuple(modalities)
        names = [name for name in _listed(self.streams) or () if name]
        unknown = [n for n in names if n not in MODALITIES]
        if unknown or not names:
            got = ", ".join(unknown) or "none"
            raise UsageError(f"streams are {', '.join(MODALITIES)}; got {got}.")
        chosen = tuple(m for m in modalities if m in names)
        if not chosen:
            raise UsageError(
                f"{name} does not read {', '.join(names)}; it reads {', '.join(modalities)}."
            )
        return chosen


@dataclass(frozen=True, kw_only=True)
class PredictOptions(Options):
    """The options of a prediction.

    Attributes:
        text: the words of the recording, which is then one utterance.
        subtitles: an srt or vtt file, whose cues are the utterances.
        whole: whether the recording is one utterance, with or without speech.
        faces: "main": the face that is seen to speak in an utterance, else the one seen longest
            and largest; "all": a prediction for each tracked face.
        fps: the number of pictures per second that are analysed.
        media: modality -> a further file of the recording.
        track: the sound track of a file with several: its number from 1, or its language as the
            file names it; None: the one that the file marks as its default, or the first.
        step: seconds of the slices into which each utterance is divided besides, 0.25 to 5; None
            for none.
        speakers: who speaks: "auto" tells voices apart and finds their number; a number of
            speakers; "channels": each channel is one; the path of an RTTM file, whose turns are
            then the utterances; None: only subtitles that name speakers tell.
        face_actions: whether predictions tell what the face does, see `moodal.core.face_action`.
    """

    text: str | None = None
    subtitles: Path | str | None = None
    whole: bool = False
    faces: Faces = "main"
    fps: float = 5.0
    media: Mapping[str, Path | str] = field(default_factory=dict)
    track: int | str | None = None
    step: float | None = None
    speakers: str | int | Path | None = None
    face_actions: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.step is not None and not SHORTEST_STEP <= self.step <= LONGEST_STEP:
            raise UsageError(
                f"step is {SHORTEST_STEP:g} to {LONGEST_STEP:g} seconds; got {self.step:g}."
            )
        if self.text is not None and not is_unicode(self.text):
            raise UsageError(
                "The text holds half of a character (a lone surrogate); read it as UTF-8, or use "
                'text.encode("utf-8", "replace").decode().'
            )
        object.__setattr__(self, "speakers", read_speakers(self.speakers))
        if self.speakers is not None and (self.whole or self.text is not None):
            raise UsageError(
                "Speakers divide a recording into their utterances; leave "
                f"{'the text' if self.text is not None else 'whole'} out, or the speakers."
            )
        if self.speakers == CHANNELS and self.subtitles is not None:
            raise UsageError(
                "Subtitles do not say of which channel they are; leave subtitles out, or tell the "
                'speakers by "auto".'
            )
        if self.text is not None and self.subtitles is not None:
            raise UsageError("Give the text or the subtitles, not both.")
        if not 0 < self.fps <= 60:
            raise UsageError(f"fps is above 0 and at most 60; got {self.fps:g}.")
        if self.faces not in ("main", "all"):
            raise UsageError(f'faces is "main" or "all"; got {self.faces!r}.')


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(Options):
    """The options of an evaluation on a corpus.

    Attributes:
        split: "train", "valid", "test", "all", or "held-out": all rows that the model has not
            seen; None: "test" if the corpus has one, else all.
        names: the corpus's name of an emotion -> the model's. Apart from these, only the synonyms
            that the artefact declares are matched.
        where: only rows with these values in these columns, e.g. {"session": "Ses05"}.
        by: columns that divide the report into subgroups; "streams" divides it by the modalities
            that each row had.
        jobs: the number of processes that read the rows.
        store: the folder of encoded rows; by default that of the report with the suffix ".states".
        truth: the rule that makes the true emotion of shares of raters; a majority by default.
    """

    split: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    by: Sequence[str] = ()
    jobs: int = 1
    store: Path | str | None = None
    truth: HardRule = field(default=HardRule("majority"))


def gathered(kind: type[Kind], options: Kind | None, more: Mapping[str, Any]) -> Kind:
    """Collect options that were given as an object or as separate fields.

    Raises:
        UsageError: both were given, or a field does not exist.
    """
    known = [field.name for field in fields(kind)]
    if unknown := [name for name in more if name not in known]:
        raise UsageError(f"There is no option {', '.join(unknown)}; there are {', '.join(known)}.")
    if options is not None and more:
        raise UsageError("Give options, or their fields by name, not both.")
    return options or kind(**more)


_FORMS = {
    "text": "a text",
    "emotions": "a list of words, or one text with commas",
    "streams": "a list of modalities, or one text with commas",
    "subtitles": "the path of a file",
    "store": "the path of a folder",
    "prior": "the name of a prior, a .toml file, or emotion -> share",
    "media": "modality -> path",
    "track": "a number from 1, or a language",
    "names": "the corpus's name -> the model's",
    "where": "column -> value",
    "by": "a list of columns",
    "truth": 'a HardRule, such as HardRule("plurality")',
    "speakers": '"auto", a number, "channels", or the path of an RTTM file',
    "language": "a language tag, such as de",
    "asr_model": "the name of a transcriber, or the path of a folder",
    "level": "true or false, or the name of a column",
}
"""Option -> what it may be, for messages."""


def _is_default(option: Field[Any], value: object) -> bool:
    factory = option.default_factory
    default = option.default if factory is MISSING else factory()
    return type(value) is type(default) and value == default


@cache
def _checker(kind: type[Options], name: str) -> TypeAdapter[Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(get_type_hints(kind)[name])
    return adapter


def _require_type(kind: type[Options], name: str, value: object) -> None:
    """Check the type of an option, which Python itself does not.

    Raises:
        UsageError: it is of another type.
    """
    try:
        _checker(kind, name).validate_python(value, strict=True)  # type: ignore[arg-type]
    except ValidationError as error:
        wanted = _FORMS.get(name) or error.errors()[0]["msg"].removeprefix("Input should be ")
        shown = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:57]}..."
        raise UsageError(f"{name} must be {wanted}; got {shown}.") from None


def is_unicode(text: str) -> bool:
    """Return whether a text holds whole characters, which can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _listed(names: Sequence[str] | str | None) -> list[str] | None:
    if names is None:
        return None
    parts = names.split(",") if isinstance(names, str) else names
    return [part.strip() if isinstance(part, str) else part for part in parts]
