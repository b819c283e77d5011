"""The processes of live sessions: one that does not answer is ended."""

import asyncio
import types

import pytest

from moodal.serve.live_pool import LiveLine, _hand_out, _Seat


class Channel:
    """A way to a process that sends prepared messages, and then nothing."""

    def __init__(self, *messages):
        self.messages = list(messages)

    async def receive(self):
        if not self.messages:
            await asyncio.sleep(60)
        return self.messages.pop(0)

    async def send(self, message, payload):
        pass


def handed_out(*messages, sent=(), computing=0.05):
    """Return what a line got until its process was silent for long."""

    async def run():
        worker = types.SimpleNamespace(channel=Channel(*messages))
        line = LiveLine("a", worker)
        for kind in sent:
            await line.send({"kind": kind})
        seat = _Seat(worker, {"a": line})
        async with asyncio.timeout(0.6):
            await _hand_out(worker, seat, 0.05, computing)

    return asyncio.run(run())


TAKEN = ({"kind": "taken", "id": "a"}, b"")
ANSWER = ({"kind": "answer", "id": "a"}, b"")
END = ({"kind": "timeline", "id": "a"}, b"")


@pytest.mark.parametrize(
    ("sent", "messages"),
    [
        (["sound"], []),
        (["sound", "sound"], [TAKEN]),
        (["sound", "finish"], [TAKEN, ANSWER]),
        (["score"], []),
    ],
)
def test_a_process_that_owes_an_answer_is_not_waited_for(sent, messages):
    with pytest.raises(TimeoutError) as error:
        handed_out(*messages, sent=sent)
    assert error.traceback[-1].name == "_next"


@pytest.mark.parametrize(
    ("sent", "messages"),
    [
        ([], []),
        (["open"], []),
        (["sound", "sound"], [TAKEN, ANSWER, TAKEN]),
        (["sound", "sound", "finish"], [TAKEN, TAKEN, END]),
    ],
)
def test_a_process_that_owes_nothing_may_be_silent(sent, messages):
    with pytest.raises(TimeoutError) as error:
        handed_out(*messages, sent=sent)
    assert error.traceback[-1].name != "_next"


def test_the_end_of_a_session_may_take_longer():
    with pytest.raises(TimeoutError) as error:
        handed_out(TAKEN, sent=["sound", "finish"], computing=9.0)
    assert error.traceback[-1].name != "_next"


def test_a_process_that_has_gone_ends_it():
    assert handed_out(TAKEN, None, sent=["sound", "sound"]) is None
