"""The one-time address lets a browser in, also where a file of the desktop leads to it."""

import json
import urllib.request


def another(server):
    """A further one-time address."""
    request = urllib.request.Request(
        server.base + "v1/keys",
        data=b"",
        method="POST",
        headers={"Authorization": f"Bearer {server.token}"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["address"]


def test_a_file_leads_to_the_page(server, new_page, monkeypatch, tmp_path):
    from moodal.cli import browser

    monkeypatch.setattr(browser.tempfile, "tempdir", str(tmp_path))
    page = new_page()
    page.goto(browser._redirect(another(server)).as_uri())
    page.wait_for_selector("#files", state="attached")
    assert page.url == server.base
    assert "key" not in page.evaluate("document.referrer")


def test_the_address_is_good_once(server, new_page):
    address = another(server)
    page = new_page()
    page.goto(address)
    page.wait_for_selector("#files", state="attached")
    other = new_page()
    other.goto(address)
    assert "used already" in other.content()


def test_the_page_for_programs_lists_the_endpoints(server, new_page):
    page = new_page()
    page.goto(another(server))
    page.wait_for_selector("#files", state="attached")
    page.goto(server.base + "docs")
    page.get_by_text("/v1/predict").first.wait_for()
    page.get_by_text("/v1/jobs/{id}/score").first.wait_for()
    assert "Unable to render" not in page.inner_text("body")
