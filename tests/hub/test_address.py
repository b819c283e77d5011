"""Addresses of the hub are read strictly."""

import pytest

from moodal.core.errors import UsageError
from moodal.hub.address import HubAddress, is_address

COMMIT = "0123456789abcdef" * 2 + "01234567"


def test_parts():
    address = HubAddress.parse(f"hf://anna/calls@{COMMIT}")
    assert (address.repository, address.revision, address.pinned) == ("anna/calls", COMMIT, True)
    assert str(address) == f"hf://anna/calls@{COMMIT}"
    assert HubAddress.parse("anna/calls") == HubAddress("anna/calls", "main")
    assert not HubAddress.parse("hf://anna/calls@v1.0").pinned


@pytest.mark.parametrize(
    "text",
    [
        "hf://",
        "hf://anna",
        "hf://anna/calls@",
        "hf://anna/calls/more",
        "hf://../calls",
        "hf://anna/../calls",
        "hf://anna/calls@../x",
        "hf://anna/ca lls",
        "hf://anna/calls@v1\n",
        "hf://-anna/calls",
        "hf://anna/calls.git",
        "anna/calls.git@main",
        "https://huggingface.co/anna/calls",
    ],
)
def test_what_is_no_address_is_refused_in_one_sentence(text):
    with pytest.raises(UsageError, match=r"is no address of the hub; write hf://owner/name"):
        HubAddress.parse(text)


def test_folders_are_no_addresses(tmp_path):
    assert not any(is_address(text) for text in ("runs/eea", tmp_path, None, "hf:/a/b"))
