"""A model card contains the known facts and describes others as unknown."""

from __future__ import annotations

import pytest

from moodal.evaluation.report.card import LIMITS, NOT_FOR, Card, TrainingCorpus, model_card
from moodal.evaluation.report.summary import ReportContext, summarise


@pytest.fixture
def report(predictions):
    test = predictions("multi")
    audit = [
        {"level": "warning", "what": "speakers", "detail": "Speakers are shared.", "examples": []},
        {"level": "note", "what": "notes", "detail": "Action units bear labels.", "examples": []},
        {"level": "note", "what": "texts", "detail": "Not for the card.", "examples": []},
    ]
    return summarise(
        test,
        train_targets=test.targets,
        draws=20,
        context=ReportContext(["selected on test"], audit),
    )


def test_a_limit_is_named_once(report):
    text = model_card(Card(limits=["Action units bear labels."]), report)
    assert text.count("Action units bear labels.") == 1


def test_a_full_card(report):
    text = model_card(
        Card(
            name="eea on mosei",
            system="eea",
            paper="Dai et al. 2020",
            labels=["anger", "fear"],
            task="multi",
            streams=["text", "face"],
            parameters=1234567,
            licence="CC BY-NC 4.0",
            version="0.1.0",
            corpora=[TrainingCorpus("mosei", 16327, fingerprint="abc")],
            encoders={"text": ("glove-50", "f00")},
            protocol="official split",
            limits=["English only."],
            not_for=["games"],
            use="moodal evaluate ARTEFACT PREPARED",
        ),
        report,
    )
    auc = report["metrics"]["auc"]["mean"]
    for words in (
        "# eea on mosei\n",
        "Predicts any number of emotions at once from text, face.",
        "| Parameters | 1,234,567 |",
        "| mosei | 16,327 | unknown | abc |",
        "| text | glove-50 | f00 |",
        "official split.",
        "Mark of every number here: selected on test",
        f"{auc['value']:.3f} [{auc['low']:.3f}, {auc['high']:.3f}]",
        "- English only.\n",
        "- Speakers are shared.\n",
        "- Action units bear labels.\n",
        "- games\n",
    ):
        assert words in text, words
    assert "Not for the card." not in text
    for line in (*LIMITS, *NOT_FOR):
        assert line in text


def test_unknown_facts_are_described_as_unknown(report):
    text = model_card(Card())
    assert "It was not evaluated" in text
    assert "unknown: ask before sharing" in text
    assert "the artefact does not say" in text
    assert "None" not in text
