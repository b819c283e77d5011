"""A hub on the loopback interface: the endpoints for files of Hugging Face's, in memory."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass
class LoopbackHub:
    """Repositories with their commits, and the requests that were made.

    Attributes:
        commits: repository -> commit -> file -> content.
        refs: repository -> branch or tag -> commit.
        requests: "METHOD /path" in order, without queries.
        token: what a writer must show; None: anybody may write.
        large: endings of files that are sent by LFS.
    """

    commits: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    refs: dict[str, dict[str, str]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    token: str | None = None
    large: tuple[str, ...] = (".safetensors", ".onnx")
    endpoint: str = ""

    def commit(self, repository: str, files: dict[str, bytes], *names: str) -> str:
        """Add a commit on top of main; return its hash."""
        before = self.commits.setdefault(repository, {})
        refs = self.refs.setdefault(repository, {})
        content = {**before.get(refs.get("main", ""), {}), **files}
        digest = hashlib.sha1(repr((len(before), sorted(content.items()))).encode()).hexdigest()
        before[digest] = content
        refs.update(dict.fromkeys(("main", *names), digest))
        return digest

    def files(self, repository: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Return the commit of a revision and its files."""
        commit = self.refs.get(repository, {}).get(revision, revision)
        files = self.commits.get(repository, {}).get(commit)
        return None if files is None else (commit, files)


class _Handler(BaseHTTPRequestHandler):
    hub: LoopbackHub

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = path.strip("/").split("/")
        if self.command == "PUT":
            self.hub.objects[parts[-1]] = body
            return self._answer(200)
        if self.command == "POST":
            return self._post(parts, body)
        if parts[:2] == ["api", "models"]:
            return self._describe(parts)
        return self._file(parts)

    def _answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        headers.setdefault("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _json(self, value: object, status: int = 200) -> None:
        self._answer(status, json.dumps(value).encode(), Content_Type="application/json")

    def _missing(self, code: str) -> None:
        self._answer(404, b"{}", X_Error_Code=code, X_Error_Message=code)

    def _lookup(self, repository: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Return a revision; answer that it is missing otherwise."""
        if repository not in self.hub.commits:
            self._missing("RepoNotFound")
            return None
        files = self.hub.files(repository, revision)
        if files is None:
            self._missing("RevisionNotFound")
        return files

    def _describe(self, parts: list[str]) -> None:
        """Answer /api/models/OWNER/NAME/(revision|tree)/REVISION."""
        if len(parts) < 6:
            return self._missing("RepoNotFound")
        repository, kind, revision = f"{parts[2]}/{parts[3]}", parts[4], "/".join(parts[5:])
        if (known := self._lookup(repository, revision)) is None:
            return
        commit, files = known
        if kind == "tree":
            entry = [
                {"type": "file", "path": n, "size": len(c), "oid": hashlib.sha1(c).hexdigest()}
                for n, c in files.items()
            ]
            return self._json(entry)
        siblings = [{"rfilename": name} for name in files]
        self._json({"id": repository, "modelId": repository, "sha": commit, "siblings": siblings})

    def _file(self, parts: list[str]) -> None:
        """Answer /OWNER/NAME/resolve/REVISION/FILE."""
        if (known := self._lookup(f"{parts[0]}/{parts[1]}", parts[3])) is None:
            return
        commit, files = known
        name = "/".join(parts[4:])
        if name not in files:
            return self._missing("EntryNotFound")
        tag = hashlib.sha256(files[name]).hexdigest()
        self._answer(200, files[name], ETag=f'"{tag}"', X_Repo_Commit=commit, Accept_Ranges="bytes")

    def _post(self, parts: list[str], body: bytes) -> None:
        if self.hub.token and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return self._answer(401, b'{"error": "Invalid username or password."}')
        if parts == ["api", "validate-yaml"]:
            return self._json({"errors": [], "warnings": []})
        if parts == ["api", "repos", "create"]:
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            known = name in self.hub.commits
            if not known:
                self.hub.commit(name, {".gitattributes": b""})
            url = f"{self.hub.endpoint}/{name}"
            return self._json({"url": url, "name": name}, 409 if known else 200)
        if parts[-3:] == ["lfs", "objects", "batch"]:
            return self._batch(json.loads(body)["objects"])
        repository = f"{parts[2]}/{parts[3]}"
        if parts[4] == "preupload":
            modes = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(self.hub.large) else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            return self._json({"files": modes})
        commit = self.hub.commit(repository, self._operations(body))
        url = f"{self.hub.endpoint}/{repository}/commit/{commit}"
        self._json({"success": True, "commitOid": commit, "commitUrl": url, "hookOutput": ""})

    def _batch(self, objects: list[dict]) -> None:
        answers = [
            {
                **file,
                "actions": {"upload": {"href": f"{self.hub.endpoint}/lfs/{file['oid']}"}},
            }
            for file in objects
        ]
        self._json({"transfer": "basic", "objects": answers})

    def _operations(self, body: bytes) -> dict[str, bytes]:
        """Read a commit's lines: files as they are, and files sent before by LFS."""
        files = {}
        for line in filter(None, body.splitlines()):
            operation = json.loads(line)
            value = operation["value"]
            if operation["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
        return files


@contextlib.contextmanager
def running() -> Iterator[LoopbackHub]:
    """Run a hub on a free port of the loopback interface."""
    hub = LoopbackHub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
