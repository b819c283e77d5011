"""Build a fused artefact from its recipe: from corpora to the folder that predicts.

    prepare  each modality's corpus, with the encoder that prediction uses
    train    each branch (`moodal.train.fuse.train_branch`)
    fuse     fit and calibrate the fusion weights (`moodal.train.fuse.fit_weights`)
    heads    fit dimensions and intensity (`moodal.train.fuse.fit_heads`)
    export   write the graphs, keys, words and card

Features, trainings and states are kept under ``work`` and reused, and a training that was killed
resumes; fusing and exporting, a few minutes, are repeated each time.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core import manifest as manifests
from moodal.core.concatenation import JOINT, concatenate, origins
from moodal.core.errors import UsageError
from moodal.core.fusion_recipe import FusionPart, FusionRecipe
from moodal.core.manifest import Manifest
from moodal.core.recipe import load_fusion
from moodal.core.records import ordered
from moodal.corpora import CORPORA
from moodal.evaluation.report.calibration import reliability_panels
from moodal.features import prepare
from moodal.hub.fetch import fetch_named_backbones
from moodal.modalities import MODALITIES
from moodal.modalities.build import build
from moodal.modalities.encoder import Encoder
from moodal.modalities.infos import info_of
from moodal.modalities.text.emotion_vectors import word_vectors
from moodal.model import artefact
from moodal.model.card import RELIABILITY, card_of, measured_sets
from moodal.model.fusion_info import FusionFigures, FusionWeights
from moodal.model.info import (
    AgreementInfo,
    ArtefactInfo,
    BranchInfo,
    DataInfo,
    EncoderInfo,
    FusedBody,
    GroupInfo,
    GuessInfo,
    LanguageInfo,
    ProtocolInfo,
    ThresholdInfo,
    modality_infos,
)
from moodal.model.languages import COLUMN, language_infos
from moodal.model.readers import readers
from moodal.train.backbones.settings import Backbone
from moodal.train.encoders import ENCODERS
from moodal.train.fuse import fit_weights
from moodal.train.fuse.agreement import agreement
from moodal.train.fuse.branch_scores import BranchScores, score_branch, with_spoken_evidence
from moodal.train.fuse.channel_figures import fit_channel_info
from moodal.train.fuse.ensemble import Ensemble
from moodal.train.fuse.fit_heads import fit_heads, graphs_of, require_heads
from moodal.train.fuse.kept_branch import keep_branch
from moodal.train.fuse.probe import fit_probe, require_probe
from moodal.train.fuse.train_branch import (
    VECTORS,
    FusedBranch,
    finished_branch,
    learn_branch,
)
from moodal.train.fuse.unseen_words import score_unseen_words


def compose(
    path: Path | str,
    out: Path | str,
    *,
    data: Path | str,
    work: Path | str,
    overrides: Sequence[str] = (),
    commit: str = "",
    tell: Callable[[str], None] = print,
) -> Path:
    """Make a fused artefact, and resume where an earlier call was stopped.

    Args:
        path: a TOML file, see `moodal.core.fusion_recipe.FusionRecipe`.
        out: folder of the artefact.
        data: folder in which the corpora lie.
        work: folder for features and trainings, which may be deleted afterwards.
        overrides: ``key=value`` of the recipe.
        commit: the commit of the code, for the card.
        tell: gets a line at the start of each step.

    Raises:
        UsageError: a wrong key or value.
        DataError: a corpus that is missing or damaged.
    """
    recipe, folder = load_fusion(path, overrides), Path(work)
    fetch_named_backbones(recipe.model_dump())
    require_heads(recipe, Path(data))
    _require_parts(recipe, Path(data))
    learned = branches_of(recipe, Path(path), Path(data), folder, tell)
    recipe = _completed(recipe, learned)
    tell("fusing")
    scores = scores_of(learned, recipe)
    fitted: dict[str, Any]
    if recipe.fusion == "channel":
        fitted = {"channel": fit_channel_info(learned, scores, recipe, Path(data), folder)}
    else:
        fitted = {"fusion": _sum(scores, recipe)}
    guesses = {
        s: one.guess or GuessInfo(**score_unseen_words(one, scores[s], recipe.parts[s].prefix))
        for s, one in learned.items()
    }
    graphs = graphs_of(learned, recipe)
    if recipe.dimensions or recipe.intensity:
        tell("fitting heads")
    heads = fit_heads(learned, graphs, recipe, Path(data))
    fitted |= {"dimensions": heads.dimensions, "intensity": heads.intensity}
    tell("exporting")
    files = {**heads.files, **{f"{s}.onnx": content for s, content in graphs.items()}}
    return _write(recipe, learned, scores, fitted, guesses, files, Path(out), commit)


def _require_parts(recipe: FusionRecipe, data: Path) -> None:
    """Check the further corpora and the probe of each part before anything is trained.

    Raises:
        UsageError, DataError: a corpus is not known, missing or damaged; or see `require_probe`.
    """
    for stream, part in recipe.parts.items():
        if part.run or not (part.joined or part.probe):
            continue
        for corpus in (part.corpus, *part.joined):
            if corpus not in CORPORA:
                raise UsageError(f"There is no corpus {corpus}; there are {', '.join(CORPORA)}.")
        if part.joined:
            roots = {part.corpus: part.root, **part.joined}
            if len(roots) <= len(part.joined):
                raise UsageError(f"The part {stream} joins {part.corpus} with itself.")
            concatenate([_bare(CORPORA[c](data / root)) for c, root in roots.items()])
        if part.probe and not part.keep:
            task = CORPORA[part.corpus](data / part.root).space.task
            require_probe(part.probe, part.probe_layers, info_of(stream).medium, task)


def _bare(manifest: Manifest) -> Manifest:
    """Return a corpus as its reader gives it, without features."""
    return dataclasses.replace(manifest, features={}, encoders={})


def branches_of(
    recipe: FusionRecipe, path: Path, data: Path, work: Path, tell: Callable[[str], None]
) -> dict[str, FusedBranch]:
    """Train, take or keep the branch of each part of a recipe, see `compose`."""
    if unknown := [s for s in recipe.parts if s not in MODALITIES]:
        raise UsageError(f"{path}: parts are {', '.join(MODALITIES)}; got {', '.join(unknown)}.")
    learned: dict[str, FusedBranch] = {}
    for stream in ordered(recipe.parts):
        part = recipe.parts[stream]
        tell(f"{stream}: {part.run or part.corpus}")
        learned[stream] = _learned(stream, part, path, data, work)
        _require_words(stream, learned[stream], recipe)
    return learned


def scores_of(learned: Mapping[str, FusedBranch], recipe: FusionRecipe) -> dict[str, BranchScores]:
    """Compute the evidence of each branch on the rows that it was not trained on."""
    scores = {
        s: score_branch(one, recipe.basics, recipe.parts[s].prefix, recipe.parts[s].telling)
        for s, one in learned.items()
    }
    return _with_spoken_evidence(scores, learned, recipe)


def _sum(scores: Mapping[str, BranchScores], recipe: FusionRecipe) -> dict[str, FusionWeights]:
    """Fit EEA's sum for each set of modalities."""
    sets = {
        name: _fitted(scores, streams, recipe)
        for name, streams in fit_weights.modality_sets(list(scores)).items()
    }
    for fitted in sets.values():
        fitted["other"] = _other(scores, sets, list(fitted["weights"]), recipe.basics)
    return {name: FusionWeights(**fitted) for name, fitted in sets.items()}


def _with_spoken_evidence(
    scores: Mapping[str, BranchScores], learned: Mapping[str, FusedBranch], recipe: FusionRecipe
) -> dict[str, BranchScores]:
    """Add to the rows of speech the text branch's evidence for their transcripts."""
    media = {info_of(stream).medium: stream for stream in reversed(list(scores))}
    if not {"sound", "text"} <= set(media):
        return dict(scores)
    voice, words = media["sound"], media["text"]
    text = (learned[words], scores[words], recipe.basics)
    valid, test = (
        with_spoken_evidence(rows, *text) for rows in (scores[voice].valid, scores[voice].test)
    )
    return {**scores, voice: dataclasses.replace(scores[voice], valid=valid, test=test)}


def _learned(stream: str, part: FusionPart, path: Path, data: Path, work: Path) -> FusedBranch:
    if part.run:
        return finished_branch(part.run, work / stream)
    folders = [_prepared(stream, part, part.corpus, data / part.root, work / "prepared" / stream)]
    for corpus, root in part.joined.items():
        place = work / "prepared" / f"{stream}-{corpus}"
        folders.append(_prepared(stream, part, corpus, data / root, place))
    prepared = json.dumps([str(f) for f in folders] if part.joined else str(folders[0]))
    branch, overrides = path.parent / part.recipe, [f"data.prepared={prepared}"]
    if part.keep:
        return keep_branch(part.keep, stream, branch, work / stream, overrides)
    trained = learn_branch(branch, work / stream, overrides)
    if not part.probe:
        return trained
    backbone = Backbone(path=part.probe, layers=part.probe_layers)
    return Ensemble((trained, fit_probe(trained, backbone, work / f"{stream}-probe")))


def _prepared(stream: str, part: FusionPart, corpus: str, root: Path, place: Path) -> Path:
    """Prepare a corpus of a part in a folder, unless it lies there already."""
    if not (place / "manifest.json").exists():
        encoders: dict[str, str | Encoder] = {}
        if part.encoder:
            encoders = dict.fromkeys(MODALITIES, "none")
            encoders[stream] = build(part.encoder, ENCODERS)
        same_lines = part.same_lines.get(corpus, 0.0)
        prepare.prepare(corpus, root, place, encoders=encoders, same_lines=same_lines)
    _require_same(place, stream, part.encoder, corpus, root)
    return place


def _require_words(stream: str, learned: FusedBranch, recipe: FusionRecipe) -> None:
    """Refuse a branch of another modality, or one that knows none of the basic emotions."""
    if learned.stream != stream:
        raise UsageError(f"The part {stream} holds a branch of {learned.stream}.")
    if not set(learned.space.labels) & set(recipe.basics):
        raise UsageError(
            f"The part {stream} learned {', '.join(learned.space.labels)}, none of the basics "
            f"{', '.join(recipe.basics)}; rename its emotions with data.merges."
        )


def _completed(recipe: FusionRecipe, learned: Mapping[str, FusedBranch]) -> FusionRecipe:
    """Return the recipe with the corpora and licences of the runs that it names."""
    parts = dict(recipe.parts)
    for stream, part in parts.items():
        if part.run:
            manifest = learned[stream].experiment.manifest
            licence = part.licence or manifest.licence
            parts[stream] = part.model_copy(update={"corpus": manifest.corpus, "licence": licence})
    return recipe.model_copy(update={"parts": parts})


def _require_same(prepared: Path, stream: str, encoder: str, corpus: str, root: Path) -> None:
    """Check that stored features come from the same corpus and encoder."""
    kept = manifests.read(prepared)
    if kept.corpus != corpus or kept.root != str(root.resolve()):
        raise UsageError(
            f"{prepared} holds {kept.corpus} of {kept.root}, not {corpus} of {root}; name "
            "another --work, or delete that folder."
        )
    spec = kept.encoders.get(stream, {})
    if encoder and spec.get("fingerprint") != build(encoder, ENCODERS).spec()["fingerprint"]:
        raise UsageError(
            f"{prepared} was encoded by {spec.get('name')}, not by {encoder} as it is here; "
            "name another --work, or delete that folder."
        )


def _fitted(
    scores: Mapping[str, BranchScores], streams: tuple[str, ...], recipe: FusionRecipe
) -> dict[str, Any]:
    """Fit the weights of a set on validation rows, and measure it on test rows."""
    valid = {s: scores[s].valid for s in streams}
    test = {s: scores[s].test for s in streams}
    shown, labels = fit_weights.utterances(valid, streams, recipe.basics, recipe.seed)
    fitted = fit_weights.fit_set(shown, labels, recipe.basics)
    tested, truth = fit_weights.utterances(test, streams, recipe.basics, recipe.seed + 1)
    probabilities = fit_weights.fused_probabilities(tested, fitted, recipe.basics)
    figures = fit_weights.figures(probabilities, truth, recipe.sure)
    return {
        **fitted,
        "threshold": recipe.sure,
        "measured": FusionFigures(made_up=len(streams) > 1, **figures),
    }


def _other(
    scores: Mapping[str, BranchScores],
    sets: Mapping[str, Any],
    streams: Sequence[str],
    basics: Sequence[str],
) -> float:
    """Choose a set's bias of non-basic words: that of the modality that learned such words."""
    for stream in streams:
        multilabel = scores[stream].multilabel
        if multilabel is not None:
            return fit_weights.fit_other(
                multilabel, list(scores[stream].shares), basics, stream, sets[stream]
            )
    return 0.0


def _write(
    recipe: FusionRecipe,
    learned: Mapping[str, FusedBranch],
    scores: Mapping[str, BranchScores],
    fitted: Mapping[str, Any],
    guesses: Mapping[str, GuessInfo],
    files: dict[str, bytes],
    out: Path,
    commit: str,
) -> Path:
    weights: dict[str, np.ndarray] = {}
    branches: dict[str, BranchInfo] = {}
    words = list(dict.fromkeys([*recipe.basics, *(w for s in scores.values() for w in s.shares)]))
    for stream, one in learned.items():
        maps = {name: values.astype(np.float32) for name, values in one.maps.items()}
        weights[f"{stream}.map"], weights[f"{stream}.offset"] = maps["map"], maps["offset"]
        if maps["bias"].any():
            weights[f"{stream}.bias"] = maps["bias"]
        weights[f"{stream}.mean"] = scores[stream].mean
        weights[f"{stream}.covariance"] = scores[stream].covariance.astype(np.float16)
        content = files[f"{stream}.onnx"]
        branches[stream] = BranchInfo(
            graph=f"{stream}.onnx",
            learned=scores[stream].shares,
            guess=guesses[stream],
            thresholds=scores[stream].thresholds,
            corpus=one.experiment.manifest.corpus,
            **recipe.parts[stream].model_dump(include={"base", "licence"}),
            rows={part: len(rows) for part, rows in one.experiment.parts.items()},
            test=scores[stream].tested,
            groups=_groups(scores[stream]),
            languages=_languages(one, scores[stream], recipe.parts[stream]),
            other_languages=recipe.parts[stream].other_languages,
            graph_agrees=one.agrees or AgreementInfo(**agreement(one, scores[stream], content)),
        )
    source = word_vectors(VECTORS)
    synonyms = {w: v for one in learned.values() for w, v in one.recipe.space.synonyms.items()}
    space = source.space(words, synonyms={w: v for w, v in synonyms.items() if w in words})
    assert space.vectors is not None
    vectors = {"words": space.vectors, "emotions": space.vectors[: len(recipe.basics)]}
    for stream, one in learned.items():
        e = one.experiment
        trained = np.union1d(e.train, e.valid)
        vectors[f"{stream}.trained"] = artefact.marks(origins(e.manifest, trained))
    manifests = {s: one.experiment.manifest for s, one in learned.items()}
    encoders = {s: EncoderInfo.of(m.encoders[s], m.features[s].width) for s, m in manifests.items()}
    body = FusedBody(
        name=recipe.name,
        basics=tuple(recipe.basics),
        words=tuple(words),
        synonyms=dict(recipe.synonyms),
        branches=branches,
        **fitted,
    )
    info = ArtefactInfo(
        body=body,
        widths={s: m.features[s].width for s, m in manifests.items()},
        labels=body.basics,
        task="single",
        vectors=source.source,
        trained=body.basics,
        encoders=encoders,
        readers=readers(encoders),
        modalities=modality_infos(manifests),
        activation="softmax",
        thresholds=ThresholdInfo(values=(0.0,) * len(body.basics), source="none: see the fusion"),
        calibration={
            name: figures.model_dump(include={"ece", "accuracy", "rows"})
            for name, figures in measured_sets(body).items()
        },
        protocol=ProtocolInfo(
            name="fused",
            experiment="branches trained apart",
            stamps=tuple(dict.fromkeys(s for x in learned.values() for s in x.experiment.stamps)),
        ),
        metrics={s: branch.tested for s, branch in scores.items()},
        data=DataInfo(
            corpus=" + ".join(m.corpus.replace(JOINT, " + ") for m in manifests.values()),
            fingerprints={s: m.fingerprint for s, m in manifests.items()},
            commit=commit,
        ),
        licence=recipe.licence,
        summary=recipe.about,
        limits=tuple(recipe.limits),
    )
    sets_drawn = {name: (f.ece, f.reliability) for name, f in measured_sets(body).items()}
    files[RELIABILITY] = reliability_panels(sets_drawn)
    return artefact.write(out, info, weights, vectors, card_of(info), files)


def _languages(one: FusedBranch, scores: BranchScores, part: FusionPart) -> dict[str, LanguageInfo]:
    """Return the languages of a branch's training rows: those of their column, or of the recipe."""
    experiment = one.experiment
    languages = experiment.manifest.column(COLUMN)
    trained = [languages[row] or part.language for row in experiment.train.tolist()]
    return language_infos([name for name in trained if name], scores.languages)


def _groups(scores: BranchScores) -> dict[str, dict[str, GroupInfo]]:
    """Return the figures by sex and age as an artefact keeps them."""
    return {
        column: {value: GroupInfo.model_validate(figures) for value, figures in values.items()}
        for column, values in scores.groups.items()
    }
