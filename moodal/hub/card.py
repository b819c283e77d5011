"""The card of an artefact in the hub's format: YAML metadata, then the model card.

The keys are those of the hub's model card specification (licence, data, metrics as model-index).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from moodal.model.card import FIGURES
from moodal.model.info import ArtefactInfo, FusedBody

LICENCES = {
    "apache-2.0": "apache-2.0",
    "mit": "mit",
    "bsd-3-clause": "bsd-3-clause",
    "cc0-1.0": "cc0-1.0",
    "cc-by-4.0": "cc-by-4.0",
    "cc-by-sa-4.0": "cc-by-sa-4.0",
    "cc-by-nc-4.0": "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0": "cc-by-nc-sa-4.0",
    "cc-by-nc-nd-4.0": "cc-by-nc-nd-4.0",
    "odbl-1.0": "odbl",
    "odbl": "odbl",
    "pddl-1.0": "pddl",
    "gpl-3.0": "gpl-3.0",
    "unlicense": "unlicense",
}
"""Licence as corpora write it, lower case and with hyphens -> the hub's identifier."""

PIPELINES = {
    frozenset({"text"}): "text-classification",
    frozenset({"speech"}): "audio-classification",
    frozenset({"face"}): "image-classification",
}
"""Modalities -> the hub's task; several modalities are those of a video."""


def hub_card(info: ArtefactInfo, card: str) -> str:
    """Return a model card with the hub's metadata in front; earlier metadata is replaced.

    Args:
        card: the model card of the artefact, as Markdown.
    """
    import yaml

    text = yaml.safe_dump(metadata(info), sort_keys=False, allow_unicode=True, width=100)
    return f"---\n{text}---\n\n{without_metadata(card).lstrip()}"


def without_metadata(card: str) -> str:
    """Return a card without YAML in front.

    >>> without_metadata("---\\nlicense: mit\\n---\\n# Name")
    '# Name'
    """
    match = re.match(r"---\r?\n.*?\r?\n---\r?\n", card, re.DOTALL)
    return card[match.end() :] if match else card


def metadata(info: ArtefactInfo) -> dict[str, Any]:
    """Return the metadata of a card: licence, data, tags, and metrics as model-index."""
    corpora = _corpora(info)
    results = list(_results(info))
    metrics = {metric["type"]: None for result in results for metric in result["metrics"]}
    content: dict[str, Any] = {
        **_licence(info),
        "library_name": "moodal",
        "pipeline_tag": PIPELINES.get(frozenset(info.widths), "video-classification"),
        "language": _languages(info),
        "tags": list(_tags(info)),
        "datasets": corpora,
        "metrics": list(metrics),
        "model-index": [{"name": info.name, "results": results}] if results else None,
    }
    return {key: value for key, value in content.items() if value}


def _licence(info: ArtefactInfo) -> dict[str, str]:
    """Name the licence as the hub does; one that it does not know is "other", with its name."""
    text = info.licence
    main = re.split(r"\s*[(;,]", text, maxsplit=1)[0].strip()
    own = LICENCES.get(_slug(main))
    heads: set[str] = set()
    if isinstance(info.body, FusedBody):
        heads = {head.licence for _, _, head in info.body.heads}
    if own and all(LICENCES.get(_slug(licence)) == own for licence in heads):
        return {"license": own}
    name = " and ".join([main, *sorted(licence for licence in heads if licence != main)])
    return {"license": "other", "license_name": _slug(name), "license_link": "README.md"}


def _slug(text: str) -> str:
    """Write a name in lower case, with hyphens.

    >>> _slug("CC BY-SA 4.0")
    'cc-by-sa-4.0'
    """
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")


def _corpora(info: ArtefactInfo) -> list[str]:
    names = re.split(r"\s*\+\s*", info.data.corpus)
    return [name for name in dict.fromkeys(names) if name and name != "unknown"]


def _languages(info: ArtefactInfo) -> list[str]:
    """List the languages of the training, without regions and scripts."""
    if not isinstance(info.body, FusedBody):
        return []
    tags = [tag for branch in info.body.branches.values() for tag in branch.languages]
    return sorted({tag.partition("-")[0].lower() for tag in tags})


def _tags(info: ArtefactInfo) -> Iterator[str]:
    yield "emotion-recognition"
    yield from info.widths
    yield info.kind if info.kind == "fused" else info.name
    yield "safetensors"
    if any(name.endswith(".onnx") for name in info.files):
        yield "onnx"
    if info.made_up:
        yield "synthetic-data"


def _results(info: ArtefactInfo) -> Iterator[dict[str, Any]]:
    """Yield the results of model-index: of each branch, or of the system's test."""
    if isinstance(info.body, FusedBody):
        for modality, branch in info.body.branches.items():
            figures = {key: branch.test.get(key) for key in FIGURES}
            if metrics := _metrics(figures):
                yield _result(f"emotions from {modality}", branch.corpus, metrics)
        return
    if metrics := _metrics({key: figure.get("value") for key, figure in info.metrics.items()}):
        protocol = ", ".join(filter(None, (info.protocol.name, info.protocol.experiment)))
        yield _result(f"emotions, {protocol}", info.data.corpus, metrics)


def _metrics(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": key, "name": FIGURES.get(key, key.replace("_", " ")), "value": round(value, 4)}
        for key, value in figures.items()
        if isinstance(value, int | float)
    ]


def _result(task: str, corpus: str, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "task": {"type": "emotion-recognition", "name": task},
        "dataset": {"type": _slug(corpus), "name": corpus, "split": "test"},
        "metrics": metrics,
    }
