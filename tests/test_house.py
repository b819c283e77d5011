"""The rules of the house that a reader of docs/architecture.md relies on, checked in the code."""

from __future__ import annotations

import ast
import collections
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "moodal"
MODULES = sorted(PACKAGE.rglob("*.py"))
FRAGMENT = re.compile(r"^(Of|As|The same|Those|What|That|Whose|Its|By|Which|Whether|Where|How) ")
SHAPE = re.compile(r"^[\[{]")
NOUN = re.compile(r"^(The|A|An|One|Every|Each) ")
"""What a function's docstring does not begin with; a property and a class are nouns."""
TABLES = ("corpora", "modalities", "lookalikes", "metrics", "protocols", "systems", "formats")
"""Packages whose ``__init__`` holds a table."""


def trees() -> Iterator[tuple[Path, ast.Module]]:
    """Yield every module of the package with its syntax tree."""
    for path in MODULES:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_line_escapes_the_formatter():
    assert not [p for p in MODULES if "fmt: skip" in p.read_text(encoding="utf-8")]


def test_functions_of_the_command_line_can_be_seen_whole():
    long = {
        f"{path.relative_to(PACKAGE)}:{node.name}": node.end_lineno - node.lineno + 1
        for path, tree in trees()
        if path.parent.name == "cli"
        for node in functions(tree)
    }
    assert not {name: lines for name, lines in long.items() if lines > 60}


def test_names_say_what_they_hold():
    """In the rooms that read and show answers; "found" and "told" may hold anything."""
    vague = {"told", "said", "made", "found"}
    rooms = ("core", "cli", "corpora", "evaluation", "media", "output", "features", "serve")
    names = []
    for path, tree in trees():
        place = path.relative_to(PACKAGE)
        if place.parts[0] in rooms:
            bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
            bound |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
            bound |= {node.name for node in functions(tree)}
            names += [f"{place}: {name}" for name in bound & vague]
    assert not names


def test_functions_have_few_parameters():
    wide = []
    for path, tree in trees():
        for node in functions(tree):
            count = len(node.args.posonlyargs + node.args.args + node.args.kwonlyargs)
            if node.args.args and node.args.args[0].arg in ("self", "cls"):
                count -= 1
            if count > 8 and node.name != "__init__":
                wide.append(f"{path.relative_to(PACKAGE)}:{node.name} has {count}")
    assert not wide


def test_a_public_class_name_is_used_once():
    places = collections.defaultdict(list)
    for path, tree in trees():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(PACKAGE)))
    assert not {n: p for n, p in places.items() if len(p) > 1 and n != "Config"}


def test_modules_hold_one_noun():
    long = {
        str(p.relative_to(PACKAGE)): len(p.read_text(encoding="utf-8").splitlines())
        for p in MODULES
    }
    assert not {name: lines for name, lines in long.items() if lines > 450}


def test_packages_hold_nothing_but_tables():
    for path, tree in trees():
        if path.name != "__init__.py" or path.parent == PACKAGE:
            continue
        allowed = path.parent.name in TABLES
        kinds = {type(node).__name__ for node in tree.body}
        assert allowed or not kinds - {"Expr", "ImportFrom"}, path


def test_docstrings_open_with_whole_sentences():
    fragments = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
                first = (ast.get_docstring(node) or "").split("\n")[0]
                noun = NOUN.match(first) and not _is_noun(node)
                if FRAGMENT.match(first) or SHAPE.match(first) or noun:
                    fragments.append(f"{path.relative_to(PACKAGE)}:{node.lineno} {first}")
    assert not fragments


def _is_noun(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a docstring describes a class or a property."""
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    return isinstance(node, ast.ClassDef) or bool(decorators & {"property", "cached_property"})


@pytest.mark.parametrize("name", ["getattr", "hasattr"])
def test_our_own_classes_are_not_asked_what_they_can_do(name):
    """A literal name is asked only of objects of other packages, in the modules named here."""
    foreign = {
        "cli/inspect.py",  # the contents of any pickle
        "corpora/unpickle/names.py",
        "core/process_local.py",  # the operating system
        "media/recording.py",  # the user's object
        "media/sniff.py",
        "media/video.py",  # FFmpeg's errors
        "modalities/face/detect.py",
        "modalities/speech/segment.py",  # thread-local storage
        "published/mmer_weights.py",  # transformers' configs
        "train/backbones/speech.py",
        "train/backbones/text.py",
    }
    asked = set()
    for path, tree in trees():
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == name
                and isinstance(node.args[1], ast.Constant)
            ):
                asked.add(str(path.relative_to(PACKAGE)))
    assert asked <= foreign
