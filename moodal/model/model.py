"""Model: an artefact that is ready to predict, whatever system it holds.

import moodal
timeline = moodal.load().predict("interview.mp4")
for utterance in timeline:
    print(utterance.start, utterance.top, utterance.probabilities)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from moodal.core.errors import DataError, MissingDependencyError, UsageError
from moodal.core.manifest import Manifest
from moodal.core.records import Frames
from moodal.core.timeline import Prediction, Timeline
from moodal.media.recording import Source
from moodal.modalities.encoder import Encoder
from moodal.model.artefact import Artefact
from moodal.model.info import ArtefactInfo
from moodal.model.keeping import Keeper, Kept, rejudged, reweighed
from moodal.model.level import STRENGTH
from moodal.model.levelled import Weighed, level_all
from moodal.model.live import Live, LiveSource
from moodal.model.options import EvaluateOptions, PredictOptions, gathered
from moodal.model.pending import Pending
from moodal.model.question import Question, stored_level
from moodal.model.scorer import Scorer, Scores
from moodal.model.speakers import with_persons
from moodal.model.vocabulary import Asked
from moodal.model.warm import warm_up


@dataclass(frozen=True)
class Model:
    """A verified artefact that predicts recordings, is evaluated on corpora and learns words.

    Attributes:
        artefact: the folder and its content.
        encoders: modality -> the encoder of its media; a modality without one can be scored from
            prepared features alone.
        scorer: the scorer of the frames.
        refused: modality -> why its encoder cannot be built here.
    """

    artefact: Artefact
    encoders: Mapping[str, Encoder]
    scorer: Scorer
    refused: Mapping[str, str]

    def __repr__(self) -> str:
        names = ", ".join(self.info.labels)
        return f"Model({self.info.name!r}, {'+'.join(self.modalities)}: {names})"

    @property
    def info(self) -> ArtefactInfo:
        """The description of the artefact."""
        return self.artefact.info

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that it reads."""
        return self.scorer.modalities

    def ask(self, emotions: Sequence[str] | None = None, vectors: str | None = None) -> Asked:
        """Look up the emotion words of a question; None for the model's own.

        Raises:
            SpaceError: a word is invalid, or the model cannot score it.
        """
        return self.scorer.ask(emotions, vectors)

    def under(self, prior: str | Path | Mapping[str, float] | None) -> Model:
        """Return the model under another prior, see `moodal.model.priors.prior_of`.

        Raises:
            UsageError: there is no such prior, or the model's own cannot be taken off.
        """
        return dataclasses.replace(self, scorer=self.scorer.under(prior))

    def check(self, options: PredictOptions) -> None:
        """Check options that would fail for every recording.

        Raises:
            UsageError, SpaceError, DataError: see `predict`.
        """
        self._question(options).check()

    def warm(self, options: PredictOptions) -> None:
        """Load the networks of the modalities that the options use; others load when needed.

        The artefact's folder is not read after that.

        Raises:
            DataError: a network cannot be run.
        """
        warm_up(self._question(options))

    def scores(self, frames: Mapping[str, Frames], emotions: Sequence[str] | None = None) -> Scores:
        """Score utterances by the frames of the model's `encoders`.

        Args:
            frames: modality -> n sequences; empty where an utterance lacks it.
            emotions: the words; by default the model's own.

        Raises:
            SpaceError: the model cannot score a word.
            MissingStreamError: an utterance lacks a modality that the model requires.
        """
        return self.scorer.score(self.scorer.prepared(frames), self.ask(emotions))

    def predict(
        self,
        source: Source = None,
        *,
        rate: int | None = None,
        name: str | None = None,
        options: PredictOptions | None = None,
        **more: Any,
    ) -> Timeline:
        """Predict the emotions of one recording, over time.

        Args:
            source: a path to an audio, video, image, text or subtitle file; the bytes of one; a
                binary file object or pipe; samples [n] or [n, channels] with their ``rate``, or
                an iterable of such arrays; None: ``text`` alone.
            rate: samples per second of arrays.
            name: the name of the recording in the timeline; by default its path.
            options, more: see `moodal.model.options.PredictOptions`; its fields by name.

        Raises:
            DataError: the recording cannot be read at all, or the model has no encoder for its
                content. Silence, a missing face and the like are no errors: ``absent`` and
                ``flags`` report them.
            UsageError: arguments contradict each other.
            SpaceError: an emotion word is invalid, or the model cannot score it.
        """
        options = gathered(PredictOptions, options, more)
        for answer in self.follow(source, rate=rate, name=name, options=options):
            if isinstance(answer, Timeline):
                timeline = answer
        return timeline

    def follow(
        self,
        source: Source = None,
        *,
        rate: int | None = None,
        name: str | None = None,
        options: PredictOptions,
        keeper: Keeper | None = None,
    ) -> Iterator[Prediction | Timeline]:
        """Yield the predictions of a recording as its utterances end, and at last its timeline.

        Speakers and persons are final in the timeline alone. With a level, emotions are known at
        the end, so that the timeline is all that is yielded. Other arguments and errors are those
        of `predict`.

        Args:
            keeper: keeps the evidence, so that `rescore` can answer for other words.
        """
        if options.level:
            weighed = self.weigh(source, rate=rate, name=name, options=options, keeper=keeper)
            model = self if options.prior is None else self.under(options.prior)
            yield from model.levelled([weighed], options.level_strength)
            return
        question = self._question(options)
        predictions: list[Prediction] = []
        for answer in question.answers(
            source, rate, name, keep=None if keeper is None else keeper.add
        ):
            if isinstance(answer, Prediction):
                predictions.append(answer)
                yield answer
        one, summary = answer  # type: ignore[misc]
        final = with_persons(one.speakers.final(predictions))
        timeline = question.timeline(one.recording, one.speakers, summary, final)
        if keeper is not None:
            keeper.finish(one.speakers, timeline.notes[len(question.asked.notes) :])
        yield timeline

    def rescore(self, timeline: Timeline, kept: Kept, options: PredictOptions) -> Timeline:
        """Answer for other emotion words from evidence that was kept, without the recording.

        Args:
            timeline: the answer for the words that were asked for first.
            kept: what `follow` kept.
            options: those of that answer, with the new words.

        Raises:
            SpaceError: an emotion word is invalid, or the model cannot score it.
            UsageError: the model's words are those of its training.
        """
        question = self._question(options)
        if options.level:
            model = self if options.prior is None else self.under(options.prior)
            weighed = Weighed(*reweighed(question, timeline, kept), question.asked)
            return model.levelled([weighed], options.level_strength)[0]
        return rejudged(question, timeline, kept)

    @overload
    def stream(
        self,
        source: None = None,
        *,
        rate: int | None = None,
        channels: int = 1,
        name: str = "",
        pictures: bool = False,
        words: bool = False,
        options: PredictOptions | None = None,
        **more: Any,
    ) -> Live: ...

    @overload
    def stream(
        self,
        source: Source,
        *,
        rate: int | None = None,
        options: PredictOptions | None = None,
        **more: Any,
    ) -> Iterator[Prediction]: ...

    def stream(
        self,
        source: Source = None,
        *,
        rate: int | None = None,
        channels: int = 1,
        name: str = "",
        pictures: bool = False,
        words: bool = False,
        options: PredictOptions | None = None,
        **more: Any,
    ) -> Iterator[Prediction] | Live:
        """Yield the predictions of a recording as its utterances end, or open a live session.

        Args:
            source: as in `predict`; a recording may be an iterable of arrays that are still being
                recorded. None: a live session is returned, see `moodal.model.live.Live`.
            rate: samples per second of arrays; None in a live session: it hears nothing, and has
                pictures or words alone.
            channels: of a live session's samples.
            name: of a live session's timeline.
            pictures, words: whether a live session will have them, so that it waits for them.
            options, more: as in `predict`.

        Raises:
            UsageError: a level is asked for, which is known at the end alone.
            MoodalError: as `predict`.
        """
        options = gathered(PredictOptions, options, more)
        if options.level:
            raise UsageError(
                "A level is known at the end of a recording; leave it out of a stream."
            )
        question = self._question(options)
        if source is None:
            return Live(question, LiveSource(rate, channels, name, pictures, words))
        return (p for p in question.answers(source, rate, None) if isinstance(p, Prediction))

    def weigh(
        self,
        source: Source = None,
        *,
        rate: int | None = None,
        name: str | None = None,
        options: PredictOptions,
        keeper: Keeper | None = None,
    ) -> Weighed:
        """Observe a recording and compute its evidence, which `levelled` turns into emotions.

        Arguments and errors are those of `follow`.
        """
        question = self._question(options)
        pending: list[Pending] = []
        for answer in question.answers(
            source, rate, name, True, None if keeper is None else keeper.add
        ):
            if isinstance(answer, Pending):
                pending.append(answer)
        one, summary = answer  # type: ignore[misc]
        final = with_persons(one.speakers.final([p.about for p in pending]))
        pending = [p.called(about) for p, about in zip(pending, final, strict=True)]
        timeline = question.timeline(one.recording, one.speakers, summary, ())
        if keeper is not None:
            keeper.finish(one.speakers, timeline.notes[len(question.asked.notes) :])
        used = {m for one in pending for m in one.about.streams}
        absent = {m: why for m, why in timeline.absent.items() if m not in used}
        return Weighed(dataclasses.replace(timeline, absent=absent), tuple(pending), question.asked)

    def levelled(self, recordings: Sequence[Weighed], strength: float = STRENGTH) -> list[Timeline]:
        """Predict recordings of one channel, each levelled by the others, see `moodal.model.level`.

        A single recording is levelled by its other utterances.

        Raises:
            UsageError: the model has no separate evidence of each modality.
        """
        return [
            dataclasses.replace(
                one.timeline,
                predictions=predictions,
                notes=(*one.timeline.notes, note),
            )
            for one, predictions, note in level_all(
                self.scorer, self.encoders, recordings, strength, stored_level(self.info)
            )
        ]

    def predict_many(
        self, sources: Sequence[Path | str], **options: Any
    ) -> Iterator[Timeline | DataError]:
        """Yield the timelines of many files, one after the other.

        For a file that cannot be read, its error is yielded, and the rest is predicted.
        """
        for source in sources:
            try:
                yield self.predict(source, **options)
            except (DataError, MissingDependencyError) as error:
                yield error if isinstance(error, DataError) else DataError(f"{source}: {error}")

    def evaluate(
        self,
        corpus: Manifest | Path | str,
        out: Path | str,
        *,
        root: Path | str | None = None,
        options: EvaluateOptions | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Test the model on a corpus and write a report, see `moodal.model.evaluate.evaluate`.

        Args:
            corpus: a manifest, or what `moodal.model.evaluate.rows_of` reads: a prepared folder,
                a table of raw media, or the name of a corpus with its ``root``.
            out: folder for report.json, report.md, predictions and figures.
            root: the folder that paths start from, or in which the named corpus lies.
            options, more: see `moodal.model.options.EvaluateOptions`.
        """
        # corpora and reports take longer to import than a prediction takes
        from moodal.model.evaluate import evaluate, rows_of

        manifest = corpus if isinstance(corpus, Manifest) else rows_of(corpus, root)
        return evaluate(self, manifest, out, options, **more)

    def adapt(
        self,
        word: str,
        clips: Sequence[Path | str],
        out: Path | str,
        *,
        negatives: Sequence[Path | str] = (),
        replace: bool = False,
    ) -> Path:
        """Write a new artefact that knows a word from a few clips, see `moodal.model.adapt`.

        Raises:
            UsageError: the model is a trained system, whose emotions are those of its training.
        """
        from moodal.model.adapt import adapt

        return adapt(self, word, clips, out, negatives=negatives, replace=replace)

    def adapt_level(
        self,
        recordings: Sequence[Path | str],
        out: Path | str,
        *,
        strength: float = STRENGTH,
        source: str = "",
        left_out: list[str] | None = None,
    ) -> Path:
        """Write a new artefact levelled to a channel, see `moodal.model.adapt_level.adapt_level`.

        Raises:
            UsageError: the model has no separate evidence of each modality.
            DataError: the recordings have too few utterances.
        """
        from moodal.model.adapt_level import adapt_level

        return adapt_level(
            self, recordings, out, strength=strength, source=source, left_out=left_out
        )

    def _question(self, options: PredictOptions) -> Question:
        """Return what is asked of one recording, under the prior that the options name.

        Raises:
            UsageError, SpaceError: the prior or a word is not one that the model knows.
        """
        scorer = self.scorer if options.prior is None else self.scorer.under(options.prior)
        asked = scorer.ask(options.words(self.info.labels), options.vectors)
        return Question(self.artefact, self.encoders, scorer, self.refused, options, asked)
