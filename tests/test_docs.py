"""What the guide tells readers to type is taken by the command line, and names what is there."""

import re
import shlex
from pathlib import Path

import pytest

from moodal.cli import main as cli
from moodal.core import recipe

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])


def commands(page: Path) -> list[str]:
    """The lines of code, indented or fenced, that run moodal; continued lines joined."""
    text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))
    fenced = "\n".join(text.split("```")[1::2])
    indented = re.findall(r"^ {4}(moodal .+)$", text, re.MULTILINE)
    return indented + re.findall(r"^(?:\$ )?(moodal .+)$", fenced, re.MULTILINE)


def parsed(command: str):
    return cli._parse(shlex.split(command, comments=True)[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_commands_are_taken(page, capsys):
    for command in commands(page):
        try:
            args = parsed(command)
        except SystemExit:
            pytest.fail(f"{command}\n{capsys.readouterr().err}")
        if args.command == "train" and args.recipe.suffix == ".toml":
            recipe.load(ROOT / args.recipe, args.overrides)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_recipes_that_are_named_are_there(page):
    named = re.findall(r"recipes/[\w./-]+\.toml", page.read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


def pictures(page: Path) -> list[str]:
    """The files that a page shows, as Markdown or as HTML; not those of other sites."""
    text = page.read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^\]]*\]\(\s*<?([^)\s>]+)", text)
    shown += re.findall(r"<(?:img|source)\b[^>]*?\bsrc(?:set)?=[\"']([^\"'\s]+)", text)
    return [name for name in shown if "://" not in name]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda p: p.stem)
def test_pictures_that_are_shown_are_there(page):
    wrong = [n for n in pictures(page) if not drawn(page.parent / n.partition("#")[0])]
    assert not wrong


def drawn(path: Path) -> bool:
    """Whether a file is a picture, by its beginning."""
    if not path.is_file():
        return False
    head = path.read_bytes()[:4096]
    if path.suffix == ".svg":
        return b"<svg" in head
    begins = {".png": b"\x89PNG", ".webp": b"RIFF", ".jpg": b"\xff\xd8", ".gif": b"GIF8"}
    return head.startswith(begins[path.suffix])


def test_pictures_are_found():
    assert len({name for page in PAGES for name in pictures(page)}) > 5


def test_commands_are_found():
    found = [command for page in PAGES for command in commands(page)]
    assert len(found) > 15
    with pytest.raises(SystemExit):
        parsed("moodal train recipes/quickstart.toml --outt runs")


def test_prediction_from_python_is_as_documented(monkeypatch, capsys):
    """The first two programs of the page on prediction run as they stand."""
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "predict.md").read_text(encoding="utf-8")
    programs = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict = {}
    for program in programs[:2]:
        exec(program, names)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["0.7", "2.856", "4.533"]
    assert lines[4].startswith("decided: {")
    assert lines[5:7] == [
        "examples/clip.mp4 3 utterances",
        "missing.wav There is no file missing.wav.",
    ]
    assert len(lines[7:]) == 3
    assert {"evaluate", "adapt"} <= set(re.findall(r"model\.(\w+)\(", programs[2]))
    assert all(callable(getattr(names["model"], call)) for call in ("evaluate", "adapt"))
