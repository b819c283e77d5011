"""Attacks, each refused or harmless."""

import contextlib
import http.client
import json
import re
import socket
import time
from urllib.parse import urlsplit

import pytest

CANARY = "canary-4b1d"


def browser(server):
    """Enter by a one-time address, made as a program makes it; return the headers of a browser."""
    page = server.ask("POST", "/v1/keys").json["address"]
    answer = server.ask("GET", "/?" + urlsplit(page).query, token=False)
    assert answer.status == 303
    cookie = answer.headers["set-cookie"].split(";")[0]
    return {"Cookie": cookie, "Origin": server.base.rstrip("/")}, page, answer


def raw(server, data, seconds=10.0):
    """Send bytes as they are, and return what comes back until the connection is closed."""
    with socket.create_connection(server.place, timeout=seconds) as own:
        own.sendall(data)
        answer = b""
        while piece := own.recv(65536):
            answer += piece
        return answer


def require_no_upload(server):
    """Check that nothing of an upload is left, once its request has ended."""
    end = time.monotonic() + 5
    while list((server.folder / "uploads").iterdir()):
        assert time.monotonic() < end
        time.sleep(0.05)


def read_all(own):
    content = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := own.recv(1 << 20):
            content += piece
    return content


def test_a_request_without_a_token_is_refused(server):
    paths = ("/", "/v1/jobs", "/v1/models", "/metrics", "/docs", "/openapi.json", "/v1/nothing")
    for path in paths:
        assert server.ask("GET", path, token=False).status == 401
    own = {"Origin": server.base.rstrip("/")}
    for path in ("/v1/predict", "/v1/jobs", "/v1/keys", "/healthz", "/static/x"):
        assert server.ask("POST", path, token=False, headers=own).status == 401
    wrong = {"Authorization": "Bearer " + "x" * 43}
    assert server.ask("GET", "/v1/jobs", headers=wrong, token=False).status == 401
    assert server.ask("GET", f"/v1/jobs?token={server.token}", token=False).status == 401


def test_the_page_says_what_to_do_without_a_token(server):
    answer = server.ask("GET", "/", token=False, headers={"Accept": "text/html"})
    assert answer.status == 401
    assert b"moodal serve" in answer.body
    assert answer.headers["content-type"].startswith("text/html")


def test_a_one_time_address_is_good_once(server):
    headers, page, answer = browser(server)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert answer.headers["location"] == "/"
    assert server.ask("GET", "/", headers=headers, token=False).status == 200
    query = "/?" + urlsplit(page).query
    assert server.ask("GET", query, token=False).status == 401
    assert server.ask("GET", query, headers=headers, token=False).status == 303  # reloaded
    assert server.ask("GET", "/?key=", token=False).status == 401
    assert server.ask("GET", "/?key=" + "a" * 32, token=False).status == 401


def test_a_foreign_host_is_refused(server):
    port = server.place[1]
    for host in (
        "evil.example",
        f"evil.example:{port}",
        "127.0.0.1.evil.example",
        "",
        "a@127.0.0.1",
    ):
        assert server.ask("GET", "/healthz", headers={"Host": host}).status == 421
    for host in ("localhost", f"LOCALHOST:{port}", f"127.0.0.1:{port}"):
        assert server.ask("GET", "/healthz", headers={"Host": host}).status == 200
    two = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n"
    assert b" 200 " not in raw(server, two).split(b"\r\n")[0]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost:1", ""]
)
def test_a_foreign_origin_is_refused(server, origin):
    cookie = {"Cookie": browser(server)[0]["Cookie"]}
    for headers in (cookie, server.headers):
        own = {**headers, "Origin": origin}
        assert server.ask("POST", "/v1/jobs", headers=own, token=False).status == 403
        assert server.ask("DELETE", "/v1/jobs/x", headers=own, token=False).status == 403
        assert server.ask("POST", "/v1/keys", headers=own, token=False).status == 403


def test_a_cookie_alone_changes_nothing(server):
    """A form of another site on this machine has the cookie, and some have no origin."""
    headers, _, _ = browser(server)
    cookie = {"Cookie": headers["Cookie"]}
    assert server.ask("POST", "/v1/keys", headers=cookie, token=False).status == 403
    assert server.ask("POST", "/v1/keys", headers=headers, token=False).status == 201


def test_a_websocket_is_guarded_as_well(server):
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    address = f"ws://127.0.0.1:{server.place[1]}/v1/stream"
    headers, _, _ = browser(server)
    cookie, own = headers["Cookie"], headers["Origin"]
    refused = [
        {},
        {"Cookie": cookie},
        {"Cookie": cookie, "Origin": "https://evil.example"},
        {**server.headers, "Origin": "https://evil.example"},
        {"Authorization": "Bearer x", "Origin": own},
    ]
    for more in refused:
        with pytest.raises(InvalidStatus, match="403"):
            connect(address, additional_headers=more)
    for more in (headers, server.headers):
        with connect(address, additional_headers=more) as live:
            live.send('{"sound": "mp3"}')
            assert json.loads(live.recv())["type"] == "error"


def test_no_answer_lets_another_site_read_it(server):
    for origin in ("https://evil.example", server.base.rstrip("/")):
        answer = server.ask("GET", "/v1/models", headers={"Origin": origin})
        assert not [name for name in answer.headers if name.startswith("access-control")]
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    assert server.ask("OPTIONS", "/v1/jobs", headers=preflight).status == 403


def test_every_answer_has_the_policy(server):
    for path, token in (
        ("/", True),
        ("/", False),
        ("/healthz", False),
        ("/docs", True),
        ("/x", True),
    ):
        headers = server.ask("GET", path, token=token).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers


def test_jobs_belong_to_their_token(server):
    id = server.job({"text": f"{CANARY} so good"})
    server.wait(id)
    other, _, _ = browser(server)

    def ask(method, path, body=None):
        return server.ask(method, path, body, headers=other, token=False)

    assert ask("GET", "/v1/jobs").json == {"jobs": []}
    for path in ("", "/events", "/result"):
        assert ask("GET", f"/v1/jobs/{id}{path}").status == 404
    assert ask("POST", f"/v1/jobs/{id}/score", '{"emotions": "joy"}').status == 404
    assert ask("DELETE", f"/v1/jobs/{id}").status == 404
    assert server.ask("GET", f"/v1/jobs/{id}").json["status"] == "done"
    assert len(id) == 24  # 144 random bits


@pytest.mark.parametrize("length", ["10", "1000000", "-5", "1e3", "99999999999999"])
def test_a_length_that_lies(server, length):
    body = b"--x\r\nContent-Disposition: form-data; name=text\r\n\r\nSo good!\r\n--x--\r\n"
    head = (
        f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.token}\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {length}\r\n\r\n"
    )
    with socket.create_connection(server.place, timeout=10) as own:
        own.sendall(head.encode() + body)
        own.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := own.recv(65536):
            answer += piece
    assert b" 200 " not in answer.split(b"\r\n")[0]
    require_no_upload(server)
    assert server.ask("GET", "/healthz").status == 200


def test_a_length_and_chunks_together_are_refused(server):
    head = (
        f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.token}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 5\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5\r\n--x--\r\n0\r\n\r\n"
    )
    assert b" 200 " not in raw(server, head.encode()).split(b"\r\n")[0]


@pytest.fixture(scope="module")
def strict(launch):
    """A server with small limits."""
    limits = {
        "upload": 200_000,
        "fields": 20_000,
        "parts": 8,
        "idle": 1.0,
        "head": 2.0,
        "rate": 1000,
        "duration": 3.0,
        "computing": 4.0,
        "waiting": 3.0,
        "sessions": 1,
    }
    return launch(limits=limits, queue=3)


def test_a_byte_a_second(strict):
    """Of the head, and of the body."""
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {strict.token}\r\n"
    begun = time.monotonic()
    with socket.create_connection(strict.place, timeout=10) as own:
        try:
            for byte in head:
                own.sendall(byte.encode())
                time.sleep(0.2)
                if time.monotonic() - begun > 8:
                    break
        except OSError:
            pass
    assert time.monotonic() - begun < 6
    whole = f"{head}Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 5000\r\n\r\n"
    begun = time.monotonic()
    with socket.create_connection(strict.place, timeout=10) as own:
        own.sendall(whole.encode() + b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n')
        own.settimeout(0.2)
        answer = b""
        while time.monotonic() - begun < 8 and b"\r\n" not in answer:
            try:
                own.sendall(b"a")
                answer += own.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                break
    assert answer.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - begun < 6
    require_no_upload(strict)


def test_a_client_that_never_reads(fresh):
    """Its connection is cut; the job that it follows goes on, and so do others."""
    server = fresh(limits={"idle": 1.0})
    words = "and I am glad to say that it is as good as it ever was before " * 2
    text = " ".join(f"{i} so good, {words}." for i in range(700))
    id = server.job({"text": text})
    with socket.socket() as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        own.connect(server.place)
        head = f"GET /v1/jobs/{id}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
        own.sendall(f"{head}{server.token}\r\n\r\n".encode())
        assert server.wait(id, 120)["status"] == "done"
        time.sleep(3)
        own.settimeout(5)
        assert b"event: done" not in read_all(own)  # only what the system had taken already
    assert server.ask("GET", "/healthz").status == 200


def test_an_upload_that_is_too_large(strict):
    assert strict.send("/v1/jobs", file=("a.wav", b"\0" * 300_000)).status == 413
    with socket.create_connection(strict.place, timeout=10) as own:  # without a length
        head = (
            f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {strict.token}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        begin = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        own.sendall(head.encode() + b"%x\r\n" % len(begin) + begin + b"\r\n")
        try:
            for _ in range(100):
                own.sendall(b"10000\r\n" + b"\0" * 0x10000 + b"\r\n")
            answer = own.recv(1000)
        except OSError:
            answer = b""
        assert answer == b"" or answer.startswith(b"HTTP/1.1 413")
    require_no_upload(strict)
    assert strict.ask("GET", "/healthz").status == 200


def test_a_form_of_many_parts_or_large_fields(strict):
    assert strict.send("/v1/jobs", {f"f{i}": "x" for i in range(9)}).status in (400, 413)
    body = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="a%d"\r\n\r\n\r\n' % i for i in range(3000)
    )
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = strict.ask("POST", "/v1/jobs", body + b"--x--\r\n", kind)
    assert (answer.status, answer.error) == (413, "The form has more than 8 parts.")
    assert strict.send("/v1/jobs", {"text": "a" * 30_000}).status == 413
    header = b"--x\r\n" + b"X-A: " + b"a" * 10_000 + b"\r\n\r\n--x--\r\n"
    assert strict.ask("POST", "/v1/jobs", header, kind).status == 400
    many = b"--x\r\n" + b"X-A: a\r\n" * 100 + b"\r\n--x--\r\n"
    assert strict.ask("POST", "/v1/jobs", many, kind).status == 400


def test_forms_that_are_none(server):
    assert server.ask("POST", "/v1/jobs", b"{}", {"Content-Type": "application/json"}).status == 415
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
    assert server.ask("POST", "/v1/jobs", b"text=a", urlencoded).status == 415
    assert (
        server.ask("POST", "/v1/jobs", b"x", {"Content-Type": "multipart/form-data"}).status == 415
    )
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (b"", b"--y--", b"--x\r\n\r\nabc\r\n--x--\r\n", b"--x"):
        assert server.ask("POST", "/v1/jobs", body, kind).status == 400
    long = {"Content-Type": f"multipart/form-data; boundary={'x' * 5000}"}
    assert server.ask("POST", "/v1/jobs", b"", long).status == 400
    latin = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xff\xfe\r\n--x--\r\n'
    assert server.ask("POST", "/v1/jobs", latin, kind).status == 400
    twice = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\na\r\n' * 2 + b"--x--\r\n"
    assert "twice" in server.ask("POST", "/v1/jobs", twice, kind).error
    assert server.send("/v1/jobs", {}).status == 400
    assert server.send("/v1/jobs", file=("a.wav", b"")).status == 422


@pytest.mark.parametrize(
    "name",
    [
        "../../../../etc/cron.d/evil.mp4",
        "..\\..\\windows\\evil.mp4",
        "/etc/passwd",
        "....//evil.mp4",
        "..",
        ".",
        "a\x1b]0;owned\x07\x9b31m.mp4",
        "<img src=x onerror=alert(1)>.mp4",
        "=cmd|calc.mp4",
        "x" * 5000 + ".mp4",
        "%2e%2e%2fevil.mp4",
    ],
)
def test_names_are_text_and_no_paths(server, clip, words, name):
    before = sorted(p.name for p in server.folder.iterdir())
    id = server.job({"streams": "text"}, file=(name, clip), subtitles=(name, words))
    state = server.wait(id)
    assert state["status"] == "done", state
    assert "/" not in state["name"]
    assert "\\" not in state["name"]
    assert state["name"].isprintable()
    assert 0 < len(state["name"]) <= 200
    assert sorted(p.name for p in server.folder.iterdir()) == before
    result = server.ask("GET", f"/v1/jobs/{id}/result")
    assert result.headers["content-type"] == "application/json"
    assert result.json["recordings"][0]["path"] == state["name"]
    assert str(server.folder).encode() not in result.body
    table = server.ask("GET", f"/v1/jobs/{id}/result?format=csv").body.decode()
    assert "\x1b" not in table
    assert not table.splitlines()[1].startswith("=")


def test_escape_codes_and_markup_in_words(server):
    words = "So good \x1b[31m<script>alert(1)</script> =1+1"
    answer = server.send("/v1/predict", {"text": words, "emotions": "<b>joy</b>, anger"})
    assert answer.status == 200
    assert b"\x1b" not in answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    refused = server.send("/v1/jobs", {"<script>": "1"})
    assert refused.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "value", ["http://169.254.169.254/", "file:///etc/passwd", "/etc/passwd", "concat:/etc/passwd"]
)
def test_an_address_in_place_of_a_file_is_refused(server, value):
    for field in ("file", "subtitles", "rttm"):
        assert "not followed" in server.send("/v1/jobs", {field: value}).error
    id = server.job({}, file=("list.m3u8", f"#EXTM3U\n#EXTINF:1,\n{value}\n".encode()))
    state = server.wait(id)
    result = server.ask("GET", f"/v1/jobs/{id}/result").body
    assert b"root:" not in result  # a playlist is no film: it fails, or is text itself
    assert state["status"] in ("failed", "done")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("speakers", "/etc/passwd.rttm"),
        ("speakers", "turns.rttm"),
        ("prior", "/etc/passwd.toml"),
        ("prior", '{"anger": "x"}'),
        ("asr_model", "/root/model"),
        ("vectors", "/etc/passwd"),
        ("media", "face=/etc/passwd"),
        ("store", "/tmp/x"),
        ("artefact", "/root/artefact"),
        ("artefact", "../default"),
        ("faces", "none"),
        ("step", "nan"),
        ("fps", "1e9"),
        ("level", "channel"),
        ("language", "../../x"),
        ("track", "-1" * 3000),
        ("folder", "/tmp"),
    ],
)
def test_options_name_no_path(server, clip, field, value):
    answer = server.send("/v1/jobs", {field: value}, file=("a.mp4", clip))
    assert answer.status == 400
    assert len(answer.error) < 500


def test_a_full_queue_is_told(strict):
    ids = [strict.job({"text": "slow 2"}) for _ in range(3)]
    answer = strict.send("/v1/jobs", {"text": "one more"})
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) > 0
    assert strict.send("/v1/predict", {"text": "one more"}).status == 429
    for id in ids:
        strict.ask("DELETE", f"/v1/jobs/{id}")
    assert strict.wait(strict.job({"text": "one more"}))["status"] == "done"


def test_what_takes_too_long_or_is_too_long(strict, speech):
    state = strict.wait(strict.job({"text": "slow 60"}))
    assert state["status"] == "failed"
    assert "longer than" in state["error"]
    content = speech(seconds=4, rate=8000).read_bytes()
    state = strict.wait(strict.job({}, file=("long.wav", content)))
    assert state["error"].startswith("long.wav is longer than")
    assert strict.send("/v1/predict", {"text": "slow 30"}).status == 504
    assert strict.wait(strict.job({"text": "and on"}))["status"] == "done"


def test_a_client_that_leaves_takes_its_question_along(server):
    connection = http.client.HTTPConnection(*server.place, timeout=10)
    body = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nslow 50\r\n--x--\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    connection.request("POST", "/v1/predict", body, {**server.headers, **kind})
    time.sleep(1)
    connection.close()
    assert server.wait(server.job({"text": "next"}), 30)["status"] == "done"


def test_logs_carry_no_content(server):
    server.wait(server.job({"text": f"{CANARY} words"}))
    server.wait(server.job({}, file=(f"{CANARY}.mp4", b"damaged")))
    server.ask("GET", f"/{CANARY}?key={CANARY}")
    log = server.log.read_text()
    assert CANARY not in log
    assert server.token not in log
    assert not re.search("Traceback", log)


def test_nothing_said_is_a_path_of_the_server(server, clip):
    id = server.job({}, file=("a.mp4", clip), rttm=("b.rttm", b"damaged"))
    state = server.wait(id)
    assert state["status"] == "failed"
    assert state["error"].startswith("b.rttm, line 1: 'damaged' is no kind of line of RTTM")
    texts = [
        server.ask("GET", f"/v1/jobs/{id}").body,
        server.ask("GET", f"/v1/jobs/{id}/events").body,
        server.ask("GET", f"/v1/jobs/{id}/result").body,
        server.ask("GET", "/v1/models").body,
        server.ask("GET", "/metrics").body,
        server.ask("GET", "/v1/jobs").body,
        server.ask("GET", "/openapi.json").body,
    ]
    for text in texts:
        assert str(server.folder.parent).encode() not in text
        assert b"/root" not in text
        assert b"site-packages" not in text
