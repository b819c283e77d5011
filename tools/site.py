"""Hooks of the documentation's site (mkdocs.yml): pages from outside docs/, and notebooks.

- CONTRIBUTING.md, CHANGELOG.md, THIRD-PARTY.md and the model card become pages.
- Notebooks of docs/notebooks become pages with the outputs that they were saved with.
- Links to source files, which are no pages, become names of files; one that does not exist is an
  error.
"""

from __future__ import annotations

import base64
import json
import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]

PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "THIRD-PARTY.md": "third-party.md",
    "moodal/model/default/README.md": "model-card.md",
    "artefacts/README.md": "research-artefact.md",
    "examples/README.md": "example-clip.md",
}
"""File of the repository -> its page on the site."""

LINK = re.compile(
    r"```.*?```|(?<!\!)\[([^\]]*)\]\((?!https?:|mailto:|#)([^)\s]+)\)|(?<!\[)`[^`\n]+`", re.DOTALL
)
"""A link, or code, in which there are none."""


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from outside docs/ and the notebooks."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_relinked(text, source, page)))
    for notebook in sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")):
        files.remove(files.get_file_from_path(f"notebooks/{notebook.name}"))
        name, pictures = f"notebooks/{notebook.stem}.md", {}
        content = "\n\n".join(_cells(json.loads(notebook.read_text("utf-8")), notebook, pictures))
        files.append(File.generated(config, name, content=content))
        for picture, data in pictures.items():
            files.append(File.generated(config, f"notebooks/{picture}", content=data))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn links to files outside docs/ into links to their pages, or into names."""
    if page.file.src_uri in PAGES.values():
        return markdown  # as `on_files` made it
    return _relinked(markdown, f"docs/{page.file.src_uri}", page.file.src_uri)


def _relinked(markdown: str, source: str, page: str) -> str:
    """Rewrite the links of a file of the repository for its page on the site."""

    def link(match: re.Match[str]) -> str:
        text, address = match[1], match[2]
        if address is None:
            return match[0]
        path, hash_, anchor = address.partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if not (ROOT / target).exists():
            raise PluginError(f"{source} links to {address}, which does not exist.")
        if target in PAGES:
            place = PAGES[target]
        elif target.startswith("docs/"):
            place = target.removeprefix("docs/")
            if place.endswith(".ipynb"):
                place = place.removesuffix(".ipynb") + ".md"
        else:
            return text if text.startswith("`") else f"`{text}`"
        return (
            f"[{text}]({posixpath.relpath(place, posixpath.dirname(page) or '.')}{hash_}{anchor})"
        )

    # the model card shows a picture that lies in the package alone
    markdown = re.sub(r"!\[[^\]]*\]\(reliability\.png\)\n", "", markdown)
    return LINK.sub(link, markdown)


def _cells(notebook: dict[str, Any], path: Path, pictures: dict[str, bytes]) -> Iterator[str]:
    """Yield the Markdown of each cell; pictures of outputs are added to ``pictures``."""
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield source
            continue
        yield f"```python\n{source}\n```"
        for output in cell["outputs"]:
            yield from _output(output, path, pictures)
    yield f"*This page is the notebook docs/notebooks/{path.name}, with its saved outputs.*"


def _output(output: dict[str, Any], path: Path, pictures: dict[str, bytes]) -> Iterator[str]:
    if output["output_type"] == "error":
        raise PluginError(f"{path.name} was saved with an error; run `make notebooks`.")
    data = output.get("data", {})
    text = "".join(output.get("text", data.get("text/plain", ""))).rstrip()
    if "image/png" in data:
        name = f"{path.stem}-{len(pictures) + 1}.png"
        pictures[name] = base64.b64decode("".join(data["image/png"]))
        yield f"![An output of the notebook]({name})"
    elif text:
        yield f"```text\n{text}\n```"


os.environ.setdefault("NO_MKDOCS_2_WARNING", "1")
