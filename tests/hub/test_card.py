"""The card in the hub's format, read back by huggingface_hub."""

import pytest
from huggingface_hub import ModelCard

from moodal.hub.card import hub_card, metadata
from moodal.model.artefact import DEFAULT, read


@pytest.fixture(scope="module")
def default():
    return read(DEFAULT).info


def read_back(info, text="# Name\n\nText.\n"):
    return ModelCard(hub_card(info, text))


def test_the_hub_reads_licence_data_and_metrics(default):
    card = read_back(default)
    assert card.data.license == "other"  # heads have the licences of their corpora
    assert card.data.license_name == "apache-2.0-and-cc-by-sa-4.0-and-odbl-1.0-dbcl-1.0"
    assert card.data.library_name == "moodal"
    assert "crema-d" in card.data.datasets
    figures = {(r.dataset_name, r.metric_type): r.metric_value for r in card.data.eval_results}
    assert figures["crema-d", "balanced_accuracy"] == pytest.approx(
        default.body.branches["speech"].test["balanced_accuracy"], abs=5e-5
    )
    assert len(figures) == 6
    assert card.text.strip() == "# Name\n\nText."


def test_one_licence_is_the_hubs_name(default):
    bare = default.body.model_copy(update={"dimensions": {}, "intensity": {}})
    info = default.model_copy(update={"body": bare})
    assert metadata(info)["license"] == "apache-2.0"
    for stated, name in {"CC BY-NC-SA 4.0": "cc-by-nc-sa-4.0", "ODbL 1.0": "odbl"}.items():
        assert metadata(info.model_copy(update={"licence": stated}))["license"] == name


def test_a_licence_of_its_own_is_other(default):
    info = default.model_copy(update={"licence": "on request, for research"})
    licence = metadata(info)
    assert licence["license"] == "other"
    assert licence["license_name"].startswith("on-request")


def test_metadata_is_replaced_not_repeated(default):
    once = hub_card(default, "# Name\n")
    assert hub_card(default, once) == once


def test_norwegian_is_no_truth_value(default):
    assert "no" in read_back(default).data.language


def test_a_system_has_the_figures_of_its_test(data_of_a_system):
    card = read_back(data_of_a_system)
    values = {r.metric_type: r.metric_value for r in card.data.eval_results}
    expected = {k: round(m["value"], 4) for k, m in data_of_a_system.metrics.items()}
    assert values == expected
    assert "synthetic-data" in card.data.tags
    assert card.data.pipeline_tag == "video-classification"


@pytest.fixture
def data_of_a_system():
    from pathlib import Path

    folder = Path(__file__).parents[1] / "compatibility" / "artefacts" / "eea"
    return read(folder).info
