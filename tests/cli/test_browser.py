"""A page is opened without its key in a command line."""

import stat
import webbrowser

import pytest

from moodal.cli import browser


@pytest.fixture
def desktop(monkeypatch, tmp_path):
    """Addresses that a browser was given; files lie in a folder of the test."""
    opened = []
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("DISPLAY", ":1")
    monkeypatch.setattr(browser.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    return opened


def test_the_browser_is_given_a_file_of_this_user_alone(desktop, tmp_path):
    browser.open_page('http://127.0.0.1:1/?key=secret&x="')
    [address] = desktop
    assert "secret" not in address
    [file] = tmp_path.iterdir()
    assert address == file.as_uri()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert 'url=http://127.0.0.1:1/?key=secret&amp;x=&quot;"' in file.read_text()


def test_the_file_goes_where_no_browser_opens(desktop, tmp_path, monkeypatch):
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    browser.open_page("http://127.0.0.1:1/?key=secret")
    assert not list(tmp_path.iterdir())


def test_nothing_is_opened_without_a_desktop(desktop, tmp_path, monkeypatch):
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    browser.open_page("http://127.0.0.1:1/?key=secret")
    assert not desktop
    assert not list(tmp_path.iterdir())
