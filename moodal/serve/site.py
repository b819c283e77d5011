"""Site: the page, its files, the page that documents the interface, health and figures."""

from __future__ import annotations

import asyncio
import hashlib
import html
import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from moodal.serve.failure import Failure
from moodal.serve.metrics import TYPE
from moodal.serve.requests import ERROR
from moodal.serve.service import Service

ROOMS = (("moodal.serve", "page"), ("moodal.output", "page"))
"""The folders of the page's files: the server's own, and those that reports share."""
SWAGGER = ("swagger-ui.css", "swagger-ui-bundle.js")
ENDINGS = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
}
"""Ending -> type; a table of the operating system may say anything."""

DOCS_SCRIPT = """\
SwaggerUIBundle({url: "/openapi.json", dom_id: "#docs", validatorUrl: null});
"""


def sentence_page(sentence: str, title: str = "moodal") -> str:
    """Return a page that says one sentence."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title></head>"
        f"<body><main><h1>moodal</h1><p>{html.escape(sentence)}</p></main></body></html>"
    )


@dataclass(frozen=True)
class Assets:
    """The files that may be served, by name; what is not among them cannot be named."""

    @cached_property
    def paths(self) -> dict[str, Traversable]:
        """Name, with slashes -> the file."""
        paths: dict[str, Traversable] = {}
        for package, folder in ROOMS:
            room = files(package) / folder
            if room.is_dir():
                for name, path in _walked(room, ""):
                    paths.setdefault(name, path)
        return paths

    @cached_property
    def swagger(self) -> dict[str, Traversable]:
        """The files of the page that documents the interface."""
        vendor = files("swagger_ui_bundle") / "vendor"
        version = next(v for v in vendor.iterdir() if v.name.startswith("swagger-ui"))
        return {f"docs/{name}": version / name for name in SWAGGER}

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            Failure: there is none of that name.
        """
        if name == "docs/start.js":
            return DOCS_SCRIPT.encode()
        path = self.paths.get(name) or self.swagger.get(name)
        if path is None:
            raise Failure(404, "There is no such file.")
        return path.read_bytes()


def _walked(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for path in folder.iterdir():
        if path.name.startswith((".", "__")) or path.name.endswith(".py"):
            continue
        if path.is_dir():
            yield from _walked(path, f"{prefix}{path.name}/")
        else:
            yield f"{prefix}{path.name}", path


def type_of(name: str) -> str:
    """Return the media type of a file by its name."""
    ending = name[name.rfind(".") :].lower()
    return ENDINGS.get(ending) or mimetypes.guess_type(name)[0] or "application/octet-stream"


DOCS = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>moodal: interface</title>'
    '<link rel="stylesheet" href="/static/docs/swagger-ui.css"></head><body><div id="docs"></div>'
    '<script src="/static/docs/swagger-ui-bundle.js"></script>'
    '<script src="/static/docs/start.js"></script></body></html>'
)


def page_router(name: str) -> APIRouter:
    """Return the routes of a page and of the files that it loads.

    Args:
        name: the page's file.
    """
    assets = Assets()
    router = APIRouter()

    @router.get("/", include_in_schema=False)
    async def page() -> Response:
        """Return the page."""
        if name not in assets.paths:
            return HTMLResponse(
                sentence_page("The page is not installed; the interface is described at /docs.")
            )
        return HTMLResponse(assets.read(name))

    @router.get("/static/{name:path}", include_in_schema=False)
    async def static(request: Request, name: str) -> Response:
        """Return a file of the page."""
        content = await asyncio.to_thread(assets.read, name)
        tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
        headers = {"etag": tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=type_of(name))

    return router


def site_router(service: Service) -> APIRouter:
    """Return the routes of the page and of what tells about the server."""
    router = APIRouter(responses=ERROR)
    router.include_router(page_router("index.html"))

    @router.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        """Return the page that documents the interface."""
        return HTMLResponse(DOCS)

    @router.get("/metrics", tags=["server"])
    async def metrics() -> Response:
        """Return figures for Prometheus."""
        return Response(service.metrics.text(), media_type=TYPE)

    @router.get("/v1/models", tags=["server"])
    async def models() -> JSONResponse:
        """List the models, and what each knows."""
        return JSONResponse({"models": service.models})

    @router.post("/v1/keys", tags=["server"])
    async def new_key(request: Request) -> JSONResponse:
        """Make a one-time address, by which another browser can come in."""
        key = service.keys.new()
        scheme = "https" if service.settings.tls or service.settings.proxy else "http"
        return JSONResponse({"address": f"{scheme}://{request.headers['host']}/?key={key}"}, 201)

    return router
