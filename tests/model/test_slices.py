"""Slices: the answers of parts of an utterance, and silent stretches that are divided."""

from __future__ import annotations

import dataclasses
import itertools
from types import SimpleNamespace

import numpy as np
import pytest

import moodal
from moodal.core.errors import UsageError
from moodal.core.records import RATE
from moodal.modalities.face.observe import ObservedFaces
from moodal.modalities.modality import Absent, Observed
from moodal.model.answer import Answering
from moodal.model.observation import Observation
from moodal.model.options import PredictOptions
from moodal.model.segmentation import Segment
from moodal.model.slices import Slicer
from tests.tiny import BASICS, channel_body, write_tiny


@pytest.fixture(scope="module")
def channel_model(tmp_path_factory):
    """A small artefact that is fused by a channel model."""
    folder = write_tiny(tmp_path_factory.mktemp("channel") / "tiny", body=channel_body())
    return moodal.load(folder, threads=1)


def tones(*parts):
    """Sound of (Hz, seconds) in turn, half of full scale, after and before half a second."""
    pieces = [0.5 * np.sign(np.sin(2 * np.pi * f * np.arange(s * RATE) / RATE)) for f, s in parts]
    silence = np.zeros(RATE // 2)
    return np.concatenate([silence, *pieces, silence]).astype(np.float32)


SOUND = tones((150, 3), (2563, 3))


def predict(model, samples=SOUND, **options):
    return model.predict(samples, rate=RATE, asr=False, **options)


def test_slices_cover_their_utterance_and_have_answers(channel_model, ear):
    timeline = predict(channel_model, step=0.5)
    assert timeline.step == 0.5
    (utterance,) = timeline
    slices = utterance.slices
    assert (slices[0].start, slices[-1].end) == (utterance.start, utterance.end)
    assert all(a.end == b.start for a, b in itertools.pairwise(slices))
    assert [s.id for s in slices] == [f"{utterance.id}.{i}" for i in range(1, len(slices) + 1)]
    assert timeline.rows == slices
    for part in slices:
        assert sum(part.probabilities[e] for e in BASICS) == pytest.approx(1)
        assert part.streams == ("speech",)
        assert part.logits == pytest.approx(
            {e: part.shares["speech"][e] + part.bias[e] for e in part.probabilities}
        )
        assert part.slices == part.words == part.moments == ()


def test_a_change_of_the_voice_is_seen_within_a_second(channel_model, ear):
    low, high = (predict(channel_model, tones((f, 3)))[0] for f in (150, 2563))
    assert low.top != high.top
    (utterance,) = predict(channel_model, step=0.5)  # the sound changes at 3.5 s
    before = [s for s in utterance.slices if s.end <= 3.5]
    after = [s for s in utterance.slices if s.start >= 4.4]
    assert {s.top for s in before} == {low.top}
    assert min(s.probabilities[low.top] for s in before) > 0.8
    assert low.top not in {s.top for s in after}
    assert max(s.probabilities[low.top] for s in after) < 0.2


def test_slices_change_nothing_of_their_utterance(channel_model, ear):
    (plain,) = predict(channel_model)
    (utterance,) = predict(channel_model, step=0.5)
    assert dataclasses.replace(utterance, slices=()) == plain
    assert plain.slices == ()


def test_a_short_utterance_has_one_answer(channel_model, ear):
    (utterance,) = predict(channel_model, tones((150, 0.6)), step=1)
    (part,) = utterance.slices
    assert part.probabilities == pytest.approx(utterance.probabilities, abs=1e-5)


def test_other_words_do_not_change_the_slices(channel_model, ear):
    (basic,) = predict(channel_model, step=0.5)
    (more,) = predict(
        channel_model, step=0.5, emotions=[*BASICS, "gratitude", "boredom", "nervousness"]
    )
    for one, other in zip(basic.slices, more.slices, strict=True):
        assert {e: other.probabilities[e] for e in BASICS} == pytest.approx(one.probabilities)
    (fewer,) = predict(channel_model, step=0.5, emotions=["boredom"])
    for one, other in zip(fewer.slices, more.slices, strict=True):
        assert one.probabilities["boredom"] == pytest.approx(other.probabilities["boredom"])


def test_words_count_for_each_slice_of_their_utterance(channel_model, ear):
    (utterance,) = predict(channel_model, step=0.5, text="I hate you.")
    assert len(utterance.slices) > 8
    for part in utterance.slices:
        assert part.text == "I hate you."
        assert part.streams == ("text", "speech")
        assert part.alone["text"] == pytest.approx(utterance.alone["text"])


def test_slices_have_the_speaker_of_their_utterance(channel_model, ear, tmp_path):
    cues = tmp_path / "a.srt"
    cues.write_text("1\n00:00:00,500 --> 00:00:03,000\nANNA: I hate you.\n")
    (utterance,) = predict(channel_model, step=0.5, subtitles=cues)
    assert utterance.speaker == "ANNA"
    assert len(utterance.slices) > 3
    assert {part.speaker for part in utterance.slices} == {"ANNA"}


def test_a_stream_gives_the_slices_of_each_utterance_as_it_ends(channel_model, ear):
    samples = np.concatenate([tones((150, 2)), tones((2563, 2)), np.zeros(5 * RATE, np.float32)])
    blocks = [samples[i : i + 4000] for i in range(0, len(samples), 4000)]
    pulled = []

    def microphone():
        for number, block in enumerate(blocks, 1):
            pulled.append(number / 4)
            yield block

    answers = channel_model.stream(microphone(), rate=RATE, asr=False, step=0.5)
    first = next(answers)
    assert pulled[-1] < first.end + 1.5
    assert [first, *answers] == list(predict(channel_model, samples, step=0.5))


def test_levelled_slices_are_slices(channel_model, ear):
    samples = np.concatenate([tones((150 * 1.5**i, 1.5)) for i in range(6)] * 2)
    plain = predict(channel_model, samples, step=0.5)
    levelled = predict(channel_model, samples, step=0.5, level=True, level_strength=1.0)
    assert len(levelled.rows) == len(plain.rows) > len(plain)
    assert levelled.rows[0].probabilities != pytest.approx(plain.rows[0].probabilities)


def test_slices_are_levelled_as_their_utterance_by_an_adapted_artefact(channel_model, ear):
    level = {"speech": np.linspace(-2, 2, len(BASICS))[None]}
    scorer = channel_model.scorer
    fused = type(scorer).fused

    class Levelled(type(scorer)):
        def fused(self, evidence, asked, task=None, level_=None, **more):
            count = len(next(iter(evidence.logits.values())))
            own = more.get("level", level_)
            own = {m: np.repeat(v, count, 0) for m, v in level.items()} if own is None else own
            return fused(self, evidence, asked, task, own)

    fields = {f.name: getattr(scorer, f.name) for f in dataclasses.fields(scorer)}
    adapted = dataclasses.replace(channel_model, scorer=Levelled(**fields))
    (utterance,) = predict(adapted, tones((150, 0.6)), step=1)
    (plain,) = predict(channel_model, tones((150, 0.6)), step=1)
    assert utterance.probabilities != pytest.approx(plain.probabilities, abs=1e-3)
    assert utterance.slices[0].probabilities == pytest.approx(utterance.probabilities, abs=1e-5)


def test_a_sum_has_no_slices(model, ear):
    with pytest.raises(UsageError, match="fused by a sum, which has no slices"):
        predict(model, step=0.5)
    with pytest.raises(UsageError, match="leave the step out"):
        model.check(PredictOptions(step=0.5))


@pytest.mark.parametrize("step", [0.2, 5.1, 0, -1, float("nan")])
def test_a_step_is_a_quarter_of_a_second_to_five(step):
    with pytest.raises(UsageError, match=r"step is 0\.25 to 5 seconds"):
        PredictOptions(step=step)


def test_a_text_has_no_slices(channel_model):
    timeline = channel_model.predict(text="I hate you. I love you.", step=0.5)
    assert [p.slices for p in timeline] == [(), ()]
    assert timeline.rows == tuple(timeline)


def faces(count, **changes):
    """Faces of five pictures a second from second 10, whose first pixel is their number."""
    crops = np.zeros((count, 48, 48), np.uint8)
    crops[:, 0, 0] = np.arange(count)
    times = tuple(10 + i / 5 for i in range(count))
    fields = {"times": times, "start": 10.0, "end": times[-1]}
    return ObservedFaces(crops, {}, (), 0, **fields | changes)


def test_a_part_of_a_face_has_its_pictures():
    observed = faces(10)
    part = observed.during(10.5, 11.0)
    assert part.item[:, 0, 0].tolist() == [3, 4]
    assert part.times == pytest.approx((10.6, 10.8))
    assert observed.places(10.5, 11.0, 10).tolist() == [3, 4]
    assert observed.places(10.5, 11.0, 7) is None
    assert observed.during(11.5, 11.8).item[:, 0, 0].tolist() == [8, 9]  # the last of all, too
    assert observed.during(10.22, 10.34).item[:, 0, 0].tolist() == [1]  # the nearest
    gap = faces(3, times=(10.0, 10.2, 12.0), end=12.0)
    assert gap.during(10.6, 11.4) == Absent("no face")
    assert Observed("words").during(0, 1) == Observed("words")


class FakeScorer:
    """Finds the emotion that the mean of the pictures' numbers is, and decides if below 10.

    A stand-in for a network: the states are the first pixels.
    """

    complete = False
    modalities = ("face",)

    def ask(self):
        return SimpleNamespace(values=())

    def states(self, modality, frames):
        return np.asarray(frames, np.float32)

    def score(self, states, asked):
        means = np.array([own.mean() for own in states["face"]])
        shown = np.round(means % 10)[:, None] == np.arange(3)
        return SimpleNamespace(probabilities=shown * 1.0, decided=shown & (means < 10)[:, None])


ENCODER = SimpleNamespace(encode=lambda item: item[:, 0, :1].astype(np.float32))


def shown(numbers):
    """Faces whose first pixels are these numbers."""
    observed = faces(len(numbers))
    observed.item[:, 0, 0] = numbers
    return observed


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([0] * 5 + [1] * 20, [(10.0, 11.0), (11.0, 14.8)]),
        ([1] * 25, [(10.0, 14.8)]),
        ([0] * 5 + [1] * 5 + [2] * 5 + [1] * 10, [(10, 11), (11, 12), (12, 13), (13, 14.8)]),
        # undecided: the same emotion joins, and so do two others; two decided ones never do
        ([0] * 5 + [10] * 5 + [11] * 5 + [1] * 10, [(10.0, 13.0), (13.0, 14.8)]),
        ([0] * 5 + [10] * 5 + [0] * 5 + [10] * 10, [(10.0, 14.8)]),
        ([10] * 5 + [1] * 20, [(10.0, 11.0), (11.0, 14.8)]),
        ([12] * 5 + [11] * 20, [(10.0, 14.8)]),
        ([1] * 4, [(10.0, 10.6)]),
    ],
)
def test_a_silent_stretch_is_divided_where_its_answer_changes(numbers, expected):
    observed = shown(numbers)
    slicer = Slicer(FakeScorer(), {"face": ENCODER}, None)
    states = {"face": ENCODER.encode(observed.item)}
    spans = slicer.same_answers({"face": observed}, states, observed.start, observed.end)
    assert spans == [pytest.approx(span) for span in expected]


def test_a_second_without_a_face_joins_the_one_before():
    times = tuple(10 + i / 5 for i in (*range(5), *range(10, 20)))
    observed = dataclasses.replace(shown([0] * 5 + [1] * 10), times=times, end=times[-1])
    slicer = Slicer(FakeScorer(), {"face": ENCODER}, None)
    states = {"face": ENCODER.encode(observed.item)}
    spans = slicer.same_answers({"face": observed}, states, 10.0, observed.end)
    assert spans == [pytest.approx((10.0, 12.0)), pytest.approx((12.0, 13.8))]


@pytest.mark.parametrize("divisible", [True, False])
def test_only_what_the_clock_cut_is_divided(channel_model, divisible):
    crops = np.random.default_rng(0).integers(0, 255, (25, 48, 48)).astype(np.uint8)
    crops[:5] //= 8
    observed = dataclasses.replace(faces(25), item=crops)
    segment = Segment(10.0, 14.8, spoken=False, divisible=divisible)
    asked = channel_model.ask(["boredom"])
    answering = Answering(channel_model.scorer, channel_model.encoders, asked, "x")
    answers = list(answering.answer(Observation(segment, {"face": [observed]}, {})))
    assert answers[0].start == 10.0
    assert answers[-1].end == 14.8
    assert (len(answers) > 1) == divisible
    assert [a.id for a in answers] == [f"x#{i}" for i in range(1, len(answers) + 1)]
    assert sum(len(a.moments) for a in answers) == 25
