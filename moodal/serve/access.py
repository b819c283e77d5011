"""Access: who may call the server, checked before anything else is done for a request.

Any website that a user opens can send requests to loopback, so being local is no permission. Each
request needs a token: in the cookie of a browser that came by a one-time address, or as a Bearer.
Names of hosts are those that are known (DNS rebinding), and what changes something comes from the
server's own page.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any, Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moodal.serve.failure import Failure
from moodal.serve.settings import ServeSettings

SESSION = 30 * 86400.0
"""Seconds that the cookie of a browser is good."""
ONWARD = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=/">'
"""The page that leads to the first page, as a navigation of this site."""
KEY = 3600.0
"""Seconds that a one-time address is good."""
MOST_KEYS = 100

OPEN = ("/healthz", "/static/", "/favicon.ico")
"""Paths without secrets, for which no token is asked."""
SAFE = ("GET", "HEAD")

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The content security policy of every answer."""

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(self), geolocation=(), payment=(), usb=()",
}


def owner_of(token: str) -> str:
    """Return the hash of a token, by which jobs and the database know it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


class Sessions(Protocol):
    """The protocol of what remembers which browsers came in."""

    def allow(self, owner: str, expires: float | None) -> None:
        """Keep the hash of a token."""
        ...

    def is_allowed(self, owner: str) -> bool:
        """Return whether a token with this hash was given out and is still good."""
        ...


@dataclass
class Keys:
    """The keys of one-time addresses.

    Attributes:
        good: hash of a key -> the time until which it is good.
    """

    good: dict[str, float] = field(default_factory=dict)

    def new(self) -> str:
        """Return a new key.

        Raises:
            Failure: too many are unused.
        """
        now = time.time()
        self.good = {key: until for key, until in self.good.items() if until > now}
        if len(self.good) >= MOST_KEYS:
            raise Failure(429, "Too many one-time addresses are unused.", {"retry-after": "3600"})
        key = secrets.token_urlsafe(24)
        self.good[owner_of(key)] = now + KEY
        return key

    def use(self, key: str) -> bool:
        """Return whether a key is good, and use it up."""
        return self.good.pop(owner_of(key), 0.0) > time.time()


class Access:
    """The middleware that lets requests in.

    It sets ``scope["state"]["owner"]``, the hash of the request's token.

    Args:
        app: what is guarded.
        settings: of the server.
        store: which tokens are good.
        keys: the keys of one-time addresses.
        token: of programs.
    """

    def __init__(
        self, app: ASGIApp, settings: ServeSettings, store: Sessions, keys: Keys, token: str
    ) -> None:
        self.app, self.settings, self.store, self.keys = app, settings, store, keys
        self.program = owner_of(token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        guarded = send if scope["type"] == "websocket" else _with_headers(send)
        try:
            headers = Headers(scope=scope)
            self._require_host(headers)
            if scope["type"] == "http" and scope["path"] == "/" and b"key=" in _query(scope):
                await self._enter(scope, headers)(scope, receive, guarded)
                return
            scope.setdefault("state", {})["owner"] = self._owner(scope, headers)
        except Failure as failure:
            await _refuse(failure, scope, receive, guarded)
            return
        await self.app(scope, receive, guarded)

    def _require_host(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name(hosts[0]) not in self.settings.hosts:
            raise Failure(421, "This server is not called by that name.")

    def _require_origin(self, scope: Scope, headers: Headers, *, required: bool) -> None:
        """Refuse what another website sends.

        Args:
            required: whether a request without an origin is refused, too.
        """
        origins = headers.getlist("origin")
        if not origins:
            if required or headers.get("sec-fetch-site", "same-origin") not in ("same-origin",):
                raise Failure(403, "This request does not come from the server's own page.")
            return
        schemes = ("https",) if self._is_secure(scope) else ("http", "https")
        own = [f"{scheme}://{headers['host'].lower()}" for scheme in schemes]
        if len(origins) != 1 or origins[0].lower() not in own:
            raise Failure(403, "Requests of other websites are refused.")

    def _is_secure(self, scope: Scope) -> bool:
        return self.settings.tls or scope["scheme"] in ("https", "wss")

    def _owner(self, scope: Scope, headers: Headers) -> str:
        """Return the hash of the token of a request; "" for a path that needs none."""
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE
        if bearer := _bearer(headers):
            if changes:
                self._require_origin(scope, headers, required=False)
            owner = owner_of(bearer)
            if hmac.compare_digest(owner, self.program):
                return owner
            raise Failure(401, "The token is wrong.", {"www-authenticate": "Bearer"})
        if changes:
            self._require_origin(scope, headers, required=True)
        if owner := self._session(scope, headers):
            return owner
        if scope["type"] == "http" and not changes and scope["path"].startswith(OPEN):
            return ""
        raise Failure(
            401,
            "A token is needed: open the address that `moodal serve` printed when it began (each "
            "is good once), or send the header Authorization: Bearer TOKEN.",
            {"www-authenticate": "Bearer"},
        )

    def _session(self, scope: Scope, headers: Headers) -> str:
        """Return the hash of the token in a good cookie, else ""."""
        token = _cookie(headers, self._cookie_name(scope))
        if not token:
            return ""
        owner = owner_of(token)
        return owner if self.store.is_allowed(owner) else ""

    def _cookie_name(self, scope: Scope) -> str:
        """Return the name of the cookie; browsers do not tell the ports of a host apart."""
        if self._is_secure(scope) or self.settings.proxy:
            return "__Host-moodal"
        return f"moodal-{(scope.get('server') or ('', 0))[1]}"

    def _enter(self, scope: Scope, headers: Headers) -> Response:
        """Let a browser in by a one-time address.

        Raises:
            Failure: it was used already, or never good.
        """
        from urllib.parse import parse_qs

        keys = parse_qs(_query(scope).decode("ascii", "replace")).get("key", [""])
        if scope["method"] != "GET" or not self.keys.use(keys[0]):
            if self._session(scope, headers):  # reloaded, or gone back to
                return RedirectResponse("/", 303)
            raise Failure(
                401,
                "This address was used already, or is too old. Start `moodal serve` again, or ask "
                "for another address (POST /v1/keys), and open it.",
            )
        response: Response = RedirectResponse("/", 303)
        if headers.get("sec-fetch-site") == "cross-site":
            # led here by a file of the desktop: a strict cookie is not sent along a redirection
            response = HTMLResponse(ONWARD)
        response.headers["cache-control"] = "no-store"
        if not self._session(scope, headers):
            token, name = secrets.token_urlsafe(32), self._cookie_name(scope)
            self.store.allow(owner_of(token), time.time() + SESSION)
            response.set_cookie(
                name,
                token,
                max_age=int(SESSION),
                path="/",
                secure=name.startswith("__Host-"),
                httponly=True,
                samesite="strict",
            )
        return response


def _query(scope: Scope) -> bytes:
    return bytes(scope.get("query_string", b""))


def _name(host: str) -> str:
    """Return the name in a Host header, without its port.

    >>> _name("LocalHost:8765"), _name("[::1]:80"), _name("a@b")
    ('localhost', '[::1]', 'a@b')
    """
    host = host.lower()
    end = host.find("]") + 1 if host.startswith("[") else host.find(":")
    name, port = (host, "") if end <= 0 else (host[:end], host[end:])
    return name if not port or (port[0] == ":" and port[1:].isdecimal()) else host


def _bearer(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _cookie(headers: Headers, name: str) -> str:
    try:
        cookies: Mapping[str, Any] = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return str(cookies[name].value) if name in cookies else ""


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return guarded


async def _refuse(failure: Failure, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})  # before it is accepted: HTTP's 403
        return
    await refusal(failure, scope)(scope, receive, send)


def refusal(failure: Failure, scope: Scope) -> Response:
    """Return the answer for a failure: a page for a person who opens one, JSON for all others."""
    headers = dict(failure.headers)
    wanted = Headers(scope=scope).get("accept", "")
    if scope["path"] == "/" and scope["method"] in SAFE and "text/html" in wanted:
        from moodal.serve.site import sentence_page

        return Response(
            sentence_page(failure.sentence), failure.status, headers, "text/html; charset=utf-8"
        )
    return JSONResponse({"error": failure.sentence}, failure.status, headers)
