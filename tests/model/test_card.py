"""The card of a fused artefact has what its description says, and nothing that it does not."""

from __future__ import annotations

from moodal.evaluation.report.calibration import reliability_panels
from moodal.model.card import RELIABILITY, card_of, measured_sets
from moodal.model.fusion_info import FusionFigures
from moodal.model.info import AgreementInfo, DataInfo, GroupInfo

FIGURES = FusionFigures(
    made_up=True,
    rows=6000,
    accuracy=0.617,
    ece=0.016,
    reliability=((0.3, 0.25, 100), (0.9, 0.92, 400)),
    decided=0.8,
    decided_accuracy=None,
)


def described(tiny):
    """Describe the tiny artefact with figures of everything."""
    body = tiny.body()
    measured = {
        "corpus": "goemotions",
        "licence": "CC BY 4.0",
        "base": "MiniLM",
        "rows": {"train": 43410},
        "test": {
            "accuracy": 0.871,
            "rows": 2160,
            "other": {"balanced_accuracy": 0.62, "rows": 3589},
        },
        "groups": {
            "sex": {
                "female": GroupInfo(persons=43, rows=1234, accuracy=0.7, balanced_accuracy=0.71),
                "unknown": GroupInfo(persons=1, rows=0),
            }
        },
        "graph_agrees": AgreementInfo(rows=200, top=0.985, largest=0.4, mean=0.021),
    }
    text = body.branches["text"].model_copy(update=measured)
    fusion = {n: w.model_copy(update={"measured": FIGURES}) for n, w in body.fusion.items()}
    changed = {"branches": {**body.branches, "text": text}, "fusion": fusion}
    return tiny.describe(
        body=body.model_copy(update=changed),
        data=DataInfo(fingerprints={"text": "f1f1"}, commit="abc123"),
        summary="Recognises made-up emotions.",
        limits=("Made-up sentences only.",),
    )


def test_the_card_of_a_fused_artefact(tiny):
    card = card_of(described(tiny))
    for words in (
        "# tiny\n",
        "Recognises made-up emotions.",
        "| goemotions | 43,410 | CC BY 4.0 | f1f1 |",
        "accuracy 0.871; other: UA 0.620",
        "text: MiniLM; the graph's most probable word is the 32-bit network's on 98.5% of 200",
        "speech: trained from scratch.",
        "| text+speech | 6,000 | 0.617 | 0.016 | 80% | – | made up |",
        f"]({RELIABILITY})",
        "| text | sex: female | 43 | 1,234 | 0.710 |",
        "at commit abc123",
        "at least 20%",
        "- Made-up sentences only.\n",
        "moodal predict RECORDING --artefact ARTEFACT",
    ):
        assert words in card, words
    assert "unknown | 1 |" not in card
    assert "None" not in card


def test_what_was_not_measured_is_not_on_the_card(tiny):
    card = card_of(tiny.describe())
    assert RELIABILITY not in card
    assert "Persons" not in card
    assert "None" not in card


def test_the_picture_has_a_panel_for_each_set(tiny):
    sets = measured_sets(described(tiny).body)
    assert list(sets) == list(tiny.body().fusion)
    picture = reliability_panels({name: (f.ece, f.reliability) for name, f in sets.items()})
    assert picture.startswith(b"\x89PNG")
    one = reliability_panels({"text": (0.1, FIGURES.reliability)})
    assert len(one) < len(picture)
