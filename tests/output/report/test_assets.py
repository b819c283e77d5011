"""The modules of the view join into one script, and every text is in the file of texts."""

from __future__ import annotations

import collections
import json
import re
from importlib.resources import files

import pytest

from moodal.output.report.assets import asset, joined

PAGE = files("moodal.output").joinpath("page")
SERVER = files("moodal.serve").joinpath("page")
MODULES = sorted(p.name for p in PAGE.iterdir() if p.name.endswith(".js"))
DEFINED = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)


def test_names_at_the_top_of_modules_are_unique():
    places = collections.defaultdict(list)
    for name in MODULES:
        for defined in DEFINED.findall(asset(name)):
            places[defined].append(name)
    assert not {name: where for name, where in places.items() if len(where) > 1}


def test_the_servers_pages_define_nothing_that_is_shared():
    """Elements are made, texts read and requests sent in one place each."""
    sources = {p.name: p.read_text() for room in (PAGE, SERVER) for p in room.glob("*.js")}
    shared = re.compile(r"^export (?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)
    places = {name: module for module, text in sources.items() for name in shared.findall(text)}
    doubled = {
        f"{name} of {places[name]} in {module}"
        for module, text in sources.items()
        for name in DEFINED.findall(text)
        if places.get(name, module) != module
    }
    assert not doubled
    makers = {module for module, text in sources.items() if "document.createElement(" in text}
    assert makers == {"dom.js"}


def test_every_module_is_joined_once_after_its_imports():
    script = joined("report.js")
    order = re.findall(r"^// ([\w.-]+\.js)$", script, re.MULTILINE)
    assert sorted(order) == MODULES
    assert order[-1] == "report.js"
    assert order.index("texts.js") < order.index("lanes.js") < order.index("view.js")
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)


@pytest.mark.parametrize("name", MODULES)
def test_modules_write_no_markup(name):
    """Strangers' words can become elements in none of these ways."""
    source = asset(name)
    for risk in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
    ):
        assert risk not in source
    assert "</script" not in source.lower()
    assert "<!--" not in source


def test_every_text_is_used_and_every_used_text_is_there():
    texts = json.loads(asset("texts.en.json"))
    assert all(isinstance(text, str) and text for text in texts.values())
    source = "".join(asset(name) for name in MODULES)
    # the review has its own texts
    source += "".join(p.read_text() for p in SERVER.glob("*.js") if p.name != "review.js")
    asked = set(re.findall(r'\btext\("([\w.]+)"', source))
    asked |= {
        f"{key}.{end}"
        for key in re.findall(r'counted\("([\w.]+)"', source)
        for end in ("one", "many")
    }
    assert asked <= set(texts), asked - set(texts)
    literal = set(re.findall(r'"([\w]+(?:\.[\w]+)*)"', source))
    families = ("kind.", "source.", "known.", "utterances.", "sentences.", "recordings.")
    families += ("ask.speakers.", "ask.faces.", "ask.prior.", "job.", "export.", "study.count.")
    unused = {t for t in texts if t not in asked | literal and not t.startswith(families)}
    assert not unused


def test_nothing_is_fetched_from_elsewhere():
    for name in [*MODULES, "styles.css", "vendor/uPlot.min.css"]:
        assert not re.search(
            r"(https?:)?//\w+\.\w+/", re.sub(r"/\*.*?\*/", "", asset(name), flags=re.DOTALL)
        ), name
    assert "MIT" in asset("vendor/uPlot.LICENCE.txt")
