"""HTTPS, and a proxy before the server."""

import http.client
import shutil
import ssl
import subprocess
from urllib.parse import urlsplit

import pytest


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of its own making, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout"
    subprocess.run([*command.split(), key, "-out", cert], check=True, capture_output=True)
    return cert, key


def test_https_has_a_cookie_of_this_host_alone(fresh, certificate):
    cert, key = map(str, certificate)
    server = fresh(tls_cert=cert, tls_key=key)
    assert server.base.startswith("https://")
    context = ssl.create_default_context(cafile=cert)
    context.check_hostname = False
    connection = http.client.HTTPSConnection(*server.place, context=context, timeout=30)
    connection.request("GET", "/?" + urlsplit(server.page).query)
    answer = connection.getresponse()
    answer.read()
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-moodal=")
    assert "Secure" in cookie
    own = f"https://127.0.0.1:{server.place[1]}"
    for origin, status in ((own, 201), (own.replace("https", "http"), 403)):
        connection.request("POST", "/v1/keys", headers={**server.headers, "Origin": origin})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()


def test_behind_a_proxy(fresh):
    server = fresh(proxy="emotions.example.org")
    assert server.page.startswith("https://emotions.example.org/?key=")
    server.base = f"http://127.0.0.1:{listening(server)}/"
    host = {"Host": "emotions.example.org"}
    answer = server.ask("GET", "/?" + urlsplit(server.page).query, headers=host, token=False)
    assert answer.status == 303
    assert answer.headers["set-cookie"].startswith("__Host-moodal=")
    own = {**host, "Origin": "https://emotions.example.org"}
    assert server.ask("POST", "/v1/keys", headers=own).status == 201
    other = {**host, "Origin": "https://other.example.org"}
    assert server.ask("POST", "/v1/keys", headers=other).status == 403
    forwarded = {"Host": "evil.example", "X-Forwarded-Host": "emotions.example.org"}
    assert server.ask("GET", "/healthz", headers=forwarded).status == 421


def listening(server):
    """Return the port on which a server listens."""
    from pathlib import Path

    inodes = set()
    for path in Path(f"/proc/{server.process.pid}/fd").iterdir():
        target = str(path.readlink())
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        parts = row.split()
        if parts[3] == "0A" and parts[9] in inodes:
            return int(parts[1].split(":")[1], 16)
    raise AssertionError("it does not listen")
