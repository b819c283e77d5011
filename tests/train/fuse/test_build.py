"""A fused artefact from corpora to predictions, in the small; and made again from what was kept."""

import csv
import json

import numpy as np
import pytest

import moodal
from moodal.cli.main import main
from moodal.core.errors import DataError, UsageError
from moodal.corpora import fer2013
from moodal.lookalikes import LOOKALIKES
from moodal.model.evaluate import evaluate, rows_of
from moodal.model.options import PredictOptions
from moodal.train.fuse.build import compose

JOINED = """joined = { brighter = "brighter", xed = "xed" }
same_lines = { xed = 0.9 }
plain = "xed"
plain_root = "xed"
other_languages = 0.7
"""
BASICS = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
TRAIN = 'epochs = 1\nbatch_size = 16\nlr = 1e-3\nselect = "loss"\npatience = 0\n'
BRANCH = """
title = "{stream}"
[data]
prepared = "unused"
trim_padding = false
{data}
[space]
vectors = "e5"
{space}
[split]
{split}
[system]
name = "branch"
streams = ["{stream}"]
{system}
[train]
{train}
"""


def faces(folder, n=90):
    """Faces whose brightness by quarter tells the emotion."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    with (
        open(folder / "fer2013.csv", "w", newline="") as own,
        open(folder / "fer2013new.csv", "w", newline="") as plus,
    ):
        csv.writer(own).writerow(["emotion", "pixels", "Usage"])
        csv.writer(plus).writerow(["Usage", "Image name", *fer2013.VOTES, "unknown", "NF"])
        for i in range(n):
            k = i % 7
            picture = rng.integers(40, 90, (48, 48))
            picture[(k // 3) * 16 : (k // 3) * 16 + 16, (k % 3) * 16 : (k % 3) * 16 + 16] += 120
            usage = ["Training", "Training", "PublicTest", "PrivateTest"][i // 7 % 4]
            votes = np.zeros(10, int)
            votes[fer2013.VOTES.index(fer2013.EMOTIONS[k])] = 10
            csv.writer(own).writerow([k, " ".join(map(str, picture.ravel())), usage])
            csv.writer(plus).writerow([usage, f"fer{i:07d}.png", *votes])


def levels(folder):
    """Add what raters heard in CREMA-D's clips, as its metadata.csv has it."""
    with open(folder / "metadata.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "VoiceVote", "VoiceLevel"])
        for i, path in enumerate(sorted((folder / "AudioWAV").iterdir())):
            table.writerow([f"AudioWAV/{path.name}", "NAD"[i % 3], 30 + i])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("compose")
    LOOKALIKES["goemotions"](root / "data/goemotions", 220, 1)
    LOOKALIKES["brighter"](root / "data/brighter", 150, 1)
    LOOKALIKES["xed"](root / "data/xed", 200, 1)
    LOOKALIKES["crema-d"](root / "data/crema_d", 60, 1)
    LOOKALIKES["emobank"](root / "data/emobank", 60, 1)
    levels(root / "data/crema_d")
    faces(root / "data/fer2013")
    own = "\n".join(f'"FER2013 {w}" = ["{w} face"]' for w in fer2013.EMOTIONS)
    recipes = {
        "text": {
            "data": 'merges = { joy = "happiness" }\nmost = { xed = 90, "brighter es" = 20 }',
            "space": "",
            "split": 'rest = "line"',
            "system": 'backbone = { path = "e5-small", freeze = 6, layers = 8 }',
            "train": TRAIN
            + 'loss = "bce"\nweighted = false\nshift_by = ["corpus", "language"]\n'
            + "weights = { xed = 0.5 }\n",
        },
        "speech": {
            "data": "",
            "space": "",
            "split": 'by = "speaker"\nfolds = 3\nonly = [0]\nvalid_share = 0.3',
            "system": 'backbone = { path = "whisper-tiny", layers = 1 }',
            "train": TRAIN + 'loss = "ce"\n',
        },
        "face": {
            "data": "",
            "space": f"[space.synonyms]\n{own}",
            "split": "",
            "system": "width = 8",
            "train": TRAIN + 'loss = "ce"\n',
        },
    }
    for stream, parts in recipes.items():
        (root / f"{stream}.toml").write_text(BRANCH.format(stream=stream, **parts))
    (root / "tiny.toml").write_text(
        f"name = 'tiny'\nabout = 'A test.'\nlicence = 'none'\nbasics = {json.dumps(BASICS)}\n"
        "[synonyms]\njoy = 'happiness'\n"
        + "".join(
            f"[parts.{stream}]\nrecipe = '{stream}.toml'\ncorpus = '{corpus}'\n"
            f"root = '{folder}'\nencoder = '{encoder}'\nprefix = '{prefix}'\nlicence = 'none'\n"
            f"bits = {bits}\n"
            for stream, corpus, folder, encoder, prefix, bits in (
                ("text", "goemotions", "goemotions", "e5:layers=6", "", 8),
                ("speech", "crema-d", "crema_d", "spoken", "", 8),
                ("face", "fer2013-both", "fer2013", "", "FER2013 ", 32),
            )
        ).replace("[parts.text]", f"[parts.text]\n{JOINED}")
        + "[dimensions.text]\ncorpus = 'emobank'\nroot = 'emobank'\nlicence = 'CC BY-SA 4.0'\n"
        + "[intensity.speech]\ncorpus = 'crema-d'\nroot = 'crema_d'\ncolumn = 'voice_level'\n"
        + "licence = 'ODbL 1.0'\n"
    )
    told = []
    where = {"data": root / "data", "work": root / "work"}
    compose(root / "tiny.toml", root / "artefact", **where, tell=told.append)
    return root, where, told


def test_it_predicts(made):
    root, _, told = made
    assert told == [
        "text: goemotions",
        "speech: crema-d",
        "face: fer2013-both",
        "fusing",
        "fitting heads",
        "exporting",
    ]
    model = moodal.load(root / "artefact", threads=1)
    assert set(model.modalities) == {"text", "speech", "face"}
    answer = model.predict(text="I am so happy today!", emotions=["joy", "gratitude", "bored"])
    [utterance] = answer
    assert utterance.sources["gratitude"] == {"text": "learned"}
    assert utterance.sources["bored"] == {"text": "guess"}
    rng = np.random.default_rng(0)
    heard = model.predict(rng.normal(size=16000).astype(np.float32) / 20, rate=16000, whole=True)
    assert heard[0].sources["surprise"] == {"speech": "absent"} or "guess" in str(heard[0].sources)
    assert sum(heard[0].probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_the_card_and_the_sets(made):
    root, _, _ = made
    about = json.loads((root / "artefact/artefact.json").read_text())
    assert len(about["body"]["fusion"]) == 7
    assert about["body"]["fusion"]["text+face"]["measured"]["made_up"]
    assert "FER2013 anger" in about["body"]["words"]
    card = (root / "artefact/README.md").read_text()
    for words in ("Not to be used for", "reliability.png", "goemotions", "made up", "sex: female"):
        assert words in card, words
    assert (root / "artefact/reliability.png").stat().st_size > 1000


def test_languages_are_counted_and_weighed(made):
    root, _, _ = made
    text = moodal.load(root / "artefact", threads=1).artefact.fused.branches["text"]
    assert {"en", "de", "es"} == set(text.languages)
    assert text.languages["es"].rows <= 20  # as data.most says
    assert all(0 < one.weight <= 1 for one in text.languages.values())
    assert text.other_languages == 0.7
    assert text.corpus == "goemotions+brighter+xed"
    assert "brighter de" in text.test["sets"]
    assert text.test["words"] == 28  # those of the first corpus


def test_heads_lie_in_files_of_their_own(made):
    root, _, _ = made
    about = json.loads((root / "artefact/artefact.json").read_text())
    head = about["body"]["dimensions"]["text"]
    assert head["file"] == "dimensions-emobank.safetensors"
    assert head["licence"] == "CC BY-SA 4.0"
    assert set(head["test"]) == {"valence", "arousal", "dominance"}
    assert {head["file"], head["terms"], "intensity-crema-d.safetensors"} <= set(about["files"])
    assert "CC BY-SA 4.0" in (root / "artefact" / head["terms"]).read_text()
    card = (root / "artefact/README.md").read_text()
    assert "dimensions-emobank.safetensors: CC BY-SA 4.0" in card
    model = moodal.load(root / "artefact", threads=1)
    [utterance] = model.predict(text="I am so happy today!")
    assert utterance.dimensions["text"].known == "learned"
    noise = np.random.default_rng(0).normal(size=16000).astype(np.float32) / 20
    [heard] = model.predict(noise, rate=16000, whole=True)
    assert 0 <= heard.intensity["speech"] <= 1
    assert heard.dimensions["speech"].known == "mapped"


def test_features_of_training_and_prediction_agree(made):
    root, _, _ = made
    model = moodal.load(root / "artefact", threads=1)
    [path] = (root / "work/text").glob("features-emobank-*.npy")
    kept = np.load(path)
    [text] = [u.text for u in rows_of("emobank", root / "data/emobank").utterances][:1]
    states, features = model.scorer.branches["text"].features(model.encoders["text"].encode(text))
    np.testing.assert_allclose(features.mean(0), kept[0], atol=1e-5)
    np.testing.assert_array_equal(features[:, -states.shape[1] :], states)  # the last layer
    assert features.shape[1] == 2 * states.shape[1]  # two layers


def test_heads_are_checked(made, tmp_path):
    root, where, _ = made
    text = (root / "tiny.toml").read_text()
    for old, new, named in (
        ("[dimensions.text]", "[dimensions.smell]", "smell, which is not in parts"),
        ("column = 'voice_level'", "", "lacks the column"),
        (
            "corpus = 'emobank'\nroot = 'emobank'",
            "corpus = 'goemotions'\nroot = 'goemotions'",
            "needs valence, arousal, dominance",
        ),
        ("corpus = 'emobank'", "corpus = 'emobanc'", "no corpus emobanc"),
    ):
        (root / "wrong.toml").write_text(text.replace(old, new))
        with pytest.raises(UsageError, match=named):
            compose(root / "wrong.toml", tmp_path / "wrong", **where, tell=lambda _: None)
    (root / "wrong.toml").write_text(text.replace("'voice_level'", "'volume'"))
    with pytest.raises(DataError, match="crema-d has no numbers in a column volume"):
        compose(root / "wrong.toml", tmp_path / "wrong", **where, tell=lambda _: None)


def test_what_is_kept_is_not_done_again(made):
    root, where, _ = made
    first = json.loads((root / "artefact/artefact.json").read_text())
    before = (root / "work/text/resume.pt").stat().st_mtime_ns
    compose(root / "tiny.toml", root / "again", **where, tell=lambda _: None)
    assert (root / "work/text/resume.pt").stat().st_mtime_ns == before
    again = json.loads((root / "again/artefact.json").read_text())
    for name in ("text.onnx", "speech.onnx", "face.onnx"):  # to the last digit
        assert again["files"][name] == first["files"][name]
    # sums of several threads differ in their last digits
    for name, weights in first["body"]["fusion"].items():
        for part in ("weights", "neutral", "bias"):
            assert again["body"]["fusion"][name][part] == pytest.approx(weights[part], abs=1e-5)


def test_rows_that_were_trained_on_are_told(made, tmp_path):
    root, _, _ = made
    model = moodal.load(root / "artefact", threads=1)
    corpus = rows_of("crema-d", root / "data/crema_d")
    where = {"streams": ["speech"], "store": tmp_path / "store"}
    every = evaluate(model, corpus, tmp_path / "all", split="all", **where)
    assert any("rows were trained or calibrated on" in s for s in every["protocol"]["stamps"])
    held = evaluate(model, corpus, tmp_path / "held", split="held-out", **where)
    assert not any("rows were trained or calibrated on" in s for s in held["protocol"]["stamps"])
    assert 0 < held["rows"] < every["rows"]


def test_fer2013s_own_names(made, tmp_path):
    root, _, _ = made
    names = {w: f"FER2013 {w}" for w in fer2013.EMOTIONS}
    model = moodal.load(root / "artefact", threads=1)
    corpus = rows_of("fer2013", root / "data/fer2013")
    report = evaluate(model, corpus, tmp_path / "own", names=names)
    assert report["rows"] > 5
    assert set(report["labels"]) == set(names.values())


def test_recipes_are_checked(tmp_path):
    head = "name='a'\nabout='b'\nlicence='c'\nbasics=['joy','neutral']\n"
    part = "recipe='r'\ncorpus='c'\nroot='d'\nlicence='e'\n"
    recipe = tmp_path / "a.toml"
    where = {"data": tmp_path, "work": tmp_path / "work"}
    for parts, named in (
        ("[parts.text]\n" + part + "bist = 8\n", "bist"),
        ("[parts.smell]\n" + part, "smell"),
        ("", "parts"),
    ):
        recipe.write_text(head + parts)
        with pytest.raises(UsageError, match=named):
            compose(recipe, tmp_path / "out", **where)
    recipe.write_text(head.replace("'neutral'", "'anger'") + "[parts.text]\n" + part)
    with pytest.raises(UsageError, match="neutral"):
        compose(recipe, tmp_path / "out", **where)
    assert not (tmp_path / "work").exists()


def test_features_of_another_encoder_are_not_taken(made, tmp_path):
    root, where, _ = made
    text = (root / "tiny.toml").read_text().replace("'spoken'", "'spoken:longest=9000'")
    (root / "other.toml").write_text(text)
    with pytest.raises(UsageError, match="encoded by spoken, not by spoken:longest=9000"):
        compose(root / "other.toml", tmp_path / "other", **where)
    assert not (tmp_path / "other").exists()


@pytest.fixture(scope="module")
def kept(made):
    """The same branches kept from the first artefact and fused by the channel model."""
    root, where, _ = made
    text = (root / "tiny.toml").read_text().replace("[synonyms]", "fusion = 'channel'\n[synonyms]")
    for stream in ("text", "speech", "face"):
        keep = f"[parts.{stream}]\nkeep = '{root / 'artefact'}'\n"
        text = text.replace(f"[parts.{stream}]\n", keep)
    (root / "kept.toml").write_text(text)
    compose(root / "kept.toml", root / "kept", **where, tell=lambda _: None)
    return root / "kept"


def test_kept_branches_stay_to_the_last_byte(made, kept):
    root, _, _ = made
    first, second = (
        json.loads((f / "artefact.json").read_text()) for f in (root / "artefact", kept)
    )
    for name in ("text.onnx", "speech.onnx", "face.onnx"):
        assert second["files"][name] == first["files"][name]
    for stream, branch in first["body"]["branches"].items():
        assert second["body"]["branches"][stream]["learned"] == branch["learned"]
        assert second["body"]["branches"][stream]["graph_agrees"] == branch["graph_agrees"]


def test_the_channel_model_answers_as_its_card_says(kept):
    model = moodal.load(kept, threads=1)
    channel = model.artefact.fused.channel
    assert set(channel.measured) == {
        "text",
        "speech",
        "face",
        "text+speech",
        "text+face",
        "speech+face",
        "text+speech+face",
    }
    assert "text+speech: speech tells, its own words" in channel.regimes
    assert set(channel.others) >= {"gratitude", "contempt"}
    assert "regime" in (kept / "README.md").read_text()
    sound = np.random.default_rng(0).normal(size=16000).astype(np.float32) / 20
    [answer] = model.predict(sound, rate=16000, whole=True, text="I hate you, get out!")
    odds = {e: np.exp(answer.logits[e]) for e in BASICS}
    total = sum(odds.values())
    assert answer.probabilities == pytest.approx({e: odds[e] / total for e in BASICS}, abs=1e-6)
    assert set(answer.alone) == {"text", "speech"}
    alone = model.predict(sound, rate=16000, whole=True, streams="speech")[0]
    assert alone.probabilities == pytest.approx(answer.alone["speech"], abs=1e-6)


def test_a_prior_is_an_argument_and_a_guess_is_never_decided(kept, made):
    model = moodal.load(kept, threads=1)
    level, talk = (model.predict(text="A train.", prior=p) for p in (None, "talk"))
    assert (level.prior, talk.prior) == ("level", "talk")
    ratio = {e: talk[0].probabilities[e] / level[0].probabilities[e] for e in BASICS}
    assert max(ratio, key=ratio.get) == "neutral"
    guess = model.predict(text="A train.", emotions="blorfness", prior="level")
    assert guess[0].sources["blorfness"] == {"text": "guess"}
    assert guess[0].decided == ()
    with pytest.raises(UsageError, match="biases hold its prior"):
        moodal.load(made[0] / "artefact", threads=1).predict(text="A train.", prior="talk")


def test_a_folder_is_levelled_by_its_other_recordings(kept, made, tmp_path):
    model = moodal.load(kept, threads=1)
    texts = [f"I am so {w} about it ." for w in ("happy", "sad", "glad", "angry", "proud")] * 3
    words = [model.weigh(None, options=PredictOptions(text=t, level=True)) for t in texts]
    levelled = model.levelled(words)
    plain = [model.predict(text=t) for t in texts]
    assert all("Levelled by other" in t.notes[-1] for t in levelled)
    assert levelled[0][0].probabilities != plain[0][0].probabilities
    [single] = model.levelled(words[:1])
    assert "Too few utterances" in single.notes[-1]
    assert single[0].probabilities == pytest.approx(plain[0][0].probabilities, abs=1e-9)


def test_a_branch_of_other_rows_is_not_kept(made, kept, tmp_path):
    root, where, _ = made
    other = (root / "kept.toml").read_text()
    (root / "speech2.toml").write_text(
        (root / "speech.toml").read_text().replace("only = [0]", "only = [1]")
    )
    (root / "other.kept.toml").write_text(other.replace("'speech.toml'", "'speech2.toml'"))
    with pytest.raises(UsageError, match="trained on other rows"):
        compose(root / "other.kept.toml", tmp_path / "x", **where, tell=lambda _: None)


def test_the_command_line_takes_priors_and_levels(kept, tmp_path, capsys):
    rows = [f"{n},I am so {w} about it today .,{w}" for n, w in enumerate(["happy", "sad"] * 12)]
    (tmp_path / "table.csv").write_text("\n".join(["id,text,label", *rows]))
    table = ["evaluate", str(kept), str(tmp_path / "table.csv"), "--map", "happy=happiness"]
    table += ["--map", "sad=sadness"]
    asked = ["--prior", "talk", "--level", "--level-strength", "0.5"]
    main([*table, *asked, "--out", str(tmp_path / "a")])
    report = json.loads((tmp_path / "a" / "report.json").read_text())
    stamps = " ".join(report["protocol"]["stamps"])
    assert "probabilities under the prior talk" in stamps
    assert "levelled by the other rows" in stamps
    for n in range(12):
        mood = "glad" if n % 2 else "angry"
        (tmp_path / f"{n}.txt").write_text(f"We are {mood} that you came {n} .")
    texts = [str(tmp_path / f"{n}.txt") for n in range(12)]
    out = ["--format", "json", "--out", str(tmp_path / "c.json")]
    main(["predict", *texts, "--artefact", str(kept), "--level", *out])
    document = json.loads((tmp_path / "c.json").read_text())
    assert all("Levelled by other" in r["notes"][-1] for r in document["recordings"])
    assert {r["prior"] for r in document["recordings"]} == {"level"}
    with pytest.raises(SystemExit):
        main([*table, "--prior", "nowhere", "--out", str(tmp_path / "d")])
    assert "There is no prior 'nowhere'" in capsys.readouterr().err
    assert not (tmp_path / "d").exists()


@pytest.fixture(scope="module")
def joint(made, kept):
    """A voice of two networks, which two corpora trained."""
    root, where, _ = made
    LOOKALIKES["ravdess"](root / "data/ravdess", 64, 1)
    names = {"happy": "happiness", "sad": "sadness", "angry": "anger", "fearful": "fear"}
    merges = ", ".join(f'{old} = "{new}"' for old, new in names.items())
    speech = (root / "speech.toml").read_text().replace("folds = 3", "folds = 2")
    speech = speech.replace("[space]", f"merges = {{ {merges} }}\n[space]")
    (root / "joint.toml").write_text(speech)
    text = (root / "kept.toml").read_text()
    alone = f"[parts.speech]\nkeep = '{root / 'artefact'}'\nrecipe = 'speech.toml'"
    both = "[parts.speech]\njoined = { ravdess = 'ravdess' }\n"
    both += "probe = 'whisper-tiny'\nprobe_layers = 2\n"
    assert alone in text
    (root / "joint.fused.toml").write_text(text.replace(alone, f"{both}recipe = 'joint.toml'"))
    where = {**where, "work": root / "joint-work"}
    compose(root / "joint.fused.toml", root / "joint", **where, tell=lambda _: None)
    return root / "joint"


def test_two_networks_that_two_corpora_trained(made, joint):
    first, both = (
        json.loads((f / "artefact.json").read_text()) for f in (made[0] / "artefact", joint)
    )
    voice = both["body"]["branches"]["speech"]
    assert voice["corpus"] == "crema-d+ravdess"
    assert {"calm", "surprised", "happiness"} <= set(voice["learned"])
    assert "happy" not in voice["learned"]
    assert voice["graph_agrees"]["top"] >= 0.95
    assert (
        both["data"]["corpus"] == "goemotions + brighter + xed + crema-d + ravdess + fer2013-both"
    )
    widths = [
        moodal.load(f, threads=1).scorer.branches["speech"].map.shape[0]
        for f in (made[0] / "artefact", joint)
    ]
    assert widths[1] == 2 * widths[0]
    kept = (both["files"]["text.onnx"], first["files"]["text.onnx"])
    assert kept[0] == kept[1]


@pytest.mark.parametrize(("corpus", "folder"), [("crema-d", "crema_d"), ("ravdess", "ravdess")])
def test_rows_of_either_corpus_are_known_as_trained_on(made, joint, tmp_path, corpus, folder):
    model = moodal.load(joint, threads=1)
    rows = rows_of(corpus, made[0] / "data" / folder)
    where = {"streams": ["speech"], "store": tmp_path / "store"}
    every = evaluate(model, rows, tmp_path / "all", split="all", **where)
    held = evaluate(model, rows, tmp_path / "held", split="held-out", **where)
    assert 0 < held["rows"] < every["rows"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("probe = 'nonsense'", "No backbone 'nonsense'"),
        ("probe = 'whisper-tiny'\nprobe_layers = 99", "has 4 layers"),
        ("joined = { ravdess = 'nowhere' }", "nowhere"),
        ("joined = { ravdes = 'ravdess' }", "There is no corpus ravdes"),
        ("joined = { 'crema-d' = 'crema_d' }", "joins crema-d with itself"),
        ("probe_layers = 2", "probe_layers are those of a probe"),
    ],
)
def test_parts_are_checked_before_anything_is_trained(made, tmp_path, change, words):
    root, where, _ = made
    text = (root / "tiny.toml").read_text()
    text = text.replace("[parts.speech]\n", f"[parts.speech]\n{change}\n")
    (root / "part.toml").write_text(text)
    where = {**where, "work": tmp_path / "work"}
    with pytest.raises((UsageError, DataError), match=words):
        compose(root / "part.toml", tmp_path / "out", **where, tell=lambda _: None)
    assert not (tmp_path / "work").exists()
