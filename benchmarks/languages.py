"""What the text branch knows of languages: its vocabulary, new languages, and words of any.

    python benchmarks/languages.py vocabulary PREPARED...
    python benchmarks/languages.py left-out PREPARED... --work FOLDER [--languages de,ru,...]
    python benchmarks/languages.py words --brighter FOLDER
    python benchmarks/languages.py table

PREPARED are the folders of the text corpora, as recipes/artefact/text.toml names them.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

import moodal
from moodal.core import manifest as manifests
from moodal.core.concatenation import origins
from moodal.core.records import Frames
from moodal.corpora import CORPORA
from moodal.evaluation.metrics import auc, decide, macro_f1
from moodal.evaluation.report.thresholds import best_threshold
from moodal.modalities.text import e5
from moodal.modalities.text.emotion_vectors import word_vectors
from moodal.modalities.text.language import name_of
from moodal.train.fuse.train_branch import Learned, learn_branch

LEFT_OUT = ("de", "sw", "ru", "yo", "ro")
"""The languages that are left out in turn: of BRIGHTER, and of XED where it has them."""
MOST = {"goemotions": 4000, "brighter": 600, "xed": 200}
"""Training rows of each language: a training of a few minutes, compared with itself."""
RECIPE = "recipes/artefact/text.toml"
EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
WORDS = {
    "en": "anger disgust fear joy sadness surprise",
    "de": "Wut Ekel Angst Freude Traurigkeit Überraschung",
    "es": "ira asco miedo alegría tristeza sorpresa",
    "pt-BR": "raiva nojo medo alegria tristeza surpresa",
    "pt-MZ": "raiva nojo medo alegria tristeza surpresa",
    "ru": "гнев отвращение страх радость грусть удивление",
    "ro": "furie dezgust frică bucurie tristețe surpriză",
    "zh": "愤怒 厌恶 恐惧 快乐 悲伤 惊讶",
    "sw": "hasira chukizo hofu furaha huzuni mshangao",
    "arq": "غضب اشمئزاز خوف فرح حزن مفاجأة",
    "ary": "غضب اشمئزاز خوف فرح حزن مفاجأة",
}
"""Language -> its words for `EMOTIONS`."""
RANDOM = 100


def vocabulary(folders: list[str]) -> None:
    """Compare the pruned vocabulary with the whole one: pieces per text, and embeddings."""
    import torch
    from torch.nn import functional as F

    from moodal.modalities.text.xlmr import XlmrTokenizer
    from moodal.train.backbones.e5 import read_e5
    from moodal.train.backbones.locate import find
    from moodal.train.backbones.settings import Backbone
    from moodal.train.backbones.text import build_text

    file = read_e5(find("e5-small").weights[0], weights=False)
    whole = XlmrTokenizer(file.pieces, file.scores, file.special, file.normalised)
    network = build_text(Backbone(path="e5-small"), 1).model.eval()
    texts = defaultdict(list)
    for folder in folders:
        manifest = manifests.read(folder)
        for u in manifest.utterances:
            texts[u.extra.get("language")].append(u.text)
    print(f"{len(e5.vocabulary().pieces):,} of {len(file.pieces):,} pieces")
    print("language  texts  pieces: whole  pruned   more  cosine of embeddings")
    encoder = e5.E5(pool=True)
    for language, all_of in sorted(texts.items(), key=lambda item: str(item[0])):
        own = [all_of[i] for i in np.random.default_rng(0).permutation(len(all_of))[:100]]
        ids = whole([e5.PREFIX + text for text in own], max_length=e5.LONGEST)["input_ids"]
        pruned = [len(e5.tokenizer().encode(e5.PREFIX + text).ids) for text in own]
        with torch.no_grad():
            exact = [network(input_ids=torch.tensor([i])).last_hidden_state[0].mean(0) for i in ids]
        vectors = encoder.encode_many(own)
        cosines = [
            float(F.normalize(a, dim=0).numpy() @ b[0])
            for a, b in zip(exact, vectors, strict=True)
            if len(b)
        ]
        before = np.mean([len(i) for i in ids])
        after = np.mean(pruned)
        print(
            f"{language!s:8} {len(own):6} {before:14.1f} {after:7.1f} {after / before - 1:6.1%} "
            f"{np.mean(cosines):8.4f}",
            flush=True,
        )


def left_out(folders: list[str], work: Path, languages: list[str]) -> None:
    """Train without each language in turn, and compare with a training that has it."""
    prepared = f"data.prepared={json.dumps(folders)}"
    spoken = {
        (m.corpus, language)
        for m in map(manifests.read, folders)
        for language in set(m.column("language"))
    }
    print(
        "language  AUC trained  AUC left out  macro F1 trained  left out  factor trained  left out"
    )
    for language in languages:
        row = []
        for out in (None, language):
            own = MOST | {f"{c} {out}": 0 for c in ("brighter", "xed") if (c, out) in spoken}
            values = ",".join(f'"{name}"={count}' for name, count in own.items())
            folder = work / (f"without-{out}" if out else "whole")
            branch = learn_branch(
                RECIPE, folder, [prepared, f"data.most={{{values}}}", "train.epochs=1"]
            )
            row.append(_figures(branch, language))
        (a, f, w), (a0, f0, w0) = row
        print(
            f"{language:8} {a:12.3f} {a0:13.3f} {f:17.3f} {f0:9.3f} {w:15.2f} {w0:9.2f}", flush=True
        )


def _figures(branch: Learned, language: str) -> tuple[float, float, float]:
    """Return AUC and macro F1 on BRIGHTER's test rows of a language, and its best factor.

    Thresholds are those of BRIGHTER's validation rows in all other languages.
    """
    from moodal.train.fuse.fit_languages import best_factor
    from moodal.train.fuse.fit_weights import evidence

    experiment = branch.experiment
    manifest, space = experiment.manifest, branch.space
    names = np.array([corpus for corpus, _ in origins(manifest)])
    tongues = np.array(manifest.column("language"))
    columns = [space.index(e) for e in EMOTIONS]
    test = experiment.test[
        (names[experiment.test] == "brighter") & (tongues[experiment.test] == language)
    ]
    valid = experiment.valid[
        (names[experiment.valid] == "brighter") & (tongues[experiment.valid] != language)
    ]
    valid = valid[~np.isnan(manifest.labels[valid][:, columns]).any(1)]
    scores = {k: branch.logits(branch.row_states(r)) for k, r in (("v", valid), ("t", test))}
    truth = manifest.labels[test][:, columns]
    thresholds = [
        best_threshold(manifest.labels[valid, c] > 0, scores["v"][:, c], "binary_f1")
        for c in columns
    ]
    own = scores["t"][:, columns]
    areas = np.asarray(auc(truth, own))
    single = (truth.sum(1) == 1) & (
        manifest.labels[test].sum(1, where=~np.isnan(manifest.labels[test])) == 1
    )
    shares = np.nanmean(manifest.labels[experiment.train], 0)
    kept = dict(zip(space.labels, shares.tolist(), strict=True))
    proof = evidence(scores["t"][single], list(space.labels), kept, EMOTIONS)
    factor = best_factor(proof, truth[single].argmax(1))
    return (
        float(np.nanmean(areas)),
        float(macro_f1(truth, decide(own, np.array(thresholds)))),
        factor,
    )


def words(root: Path) -> None:
    """Score BRIGHTER's dev texts by the words of their own language, beside chance."""
    model = moodal.load()
    manifest = CORPORA["brighter"](root)
    languages = np.array(manifest.column("language"))
    test = np.array([u.split == "test" for u in manifest.utterances])
    source = word_vectors("e5")
    draws, _ = source.vocabulary(RANDOM, 0, EMOTIONS)
    encoder = e5.E5(pool=True)
    print("mean AUC of six emotions, by the word of")
    print("language  texts  English  own language  random words: mean, 95%  cosine, own")
    for language, own_words in WORDS.items():
        rows = np.flatnonzero(test & (languages == language))
        texts = [manifest.utterances[i].text or "" for i in rows]
        truth = manifest.labels[rows][:, :6]
        asked_words = own_words.split()
        frames = {"text": Frames.from_list(model.encoders["text"].encode_many(texts))}
        states = model.scorer.prepared(frames)

        def areas(
            names: list[str], truth: np.ndarray = truth, states: dict[str, Frames] = states
        ) -> float:
            asked = model.ask(list(dict.fromkeys(names)))
            logits = model.scorer.evidence(states, asked).logits["text"]
            columns = [asked.words.index(asked.shown[name.lower()]) for name in names]
            return _mean_auc(truth, logits[:, columns])

        null = [areas([draws[i]] * 6) for i in range(0, RANDOM)]
        vectors = np.stack([source.vector(word) for word in asked_words])
        texts_in = np.concatenate(encoder.encode_many(texts)) - e5.vocabulary().center
        cosine = _mean_auc(truth, texts_in @ vectors.T)
        print(
            f"{language:8} {len(rows):6} {areas(list(EMOTIONS)):8.3f} {areas(asked_words):13.3f} "
            f"{np.mean(null):18.3f} {np.quantile(null, 0.95):6.3f} {cosine:12.3f}",
            flush=True,
        )


def table() -> None:
    """Print the languages of the text branch: training rows, weights, and held-out figures."""
    branch = moodal.load().artefact.fused.branches["text"]
    sets = branch.test["sets"]
    print(
        "| language | training rows | counts | BRIGHTER dev: macro F1, AUC | XED: macro F1, AUC |"
    )
    print("|---|---|---|---|---|")
    for language, info in sorted(branch.languages.items(), key=lambda item: -item[1].rows):
        cells = [_cell(sets.get(f"{corpus} {language}")) for corpus in ("brighter", "xed")]
        name = f"{name_of(language)} (`{language}`)"
        print(f"| {name} | {info.rows:,} | {info.weight:.2f} | {cells[0]} | {cells[1]} |")


def _cell(figures: dict[str, float] | None) -> str:
    if figures is None or figures["mean_auc"] is None:
        return ""
    return f"{figures['macro_f1']:.3f}, {figures['mean_auc']:.3f} ({figures['rows']})"


def _mean_auc(truth: np.ndarray, scores: np.ndarray) -> float:
    each = []
    for c in range(truth.shape[1]):
        known = ~np.isnan(truth[:, c])
        if 0 < truth[known, c].sum() < known.sum():
            each.append(float(auc(truth[known, c], scores[known, c])))
    return float(np.mean(each))


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("vocabulary", "left-out", "words", "table"))
    parser.add_argument("prepared", nargs="*")
    parser.add_argument("--work", type=Path, default=Path("runs/left-out"))
    parser.add_argument("--languages", default=",".join(LEFT_OUT))
    parser.add_argument("--brighter", type=Path)
    args = parser.parse_args()
    if args.what == "vocabulary":
        vocabulary(args.prepared)
    elif args.what == "left-out":
        left_out(args.prepared, args.work, args.languages.split(","))
    elif args.what == "words":
        words(args.brighter)
    else:
        table()


if __name__ == "__main__":
    main()
