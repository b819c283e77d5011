"""The events of a job, for those who follow it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from moodal.serve.feed import Feed


def in_a_thread(coroutine):
    """Run a coroutine; a browser that drives other tests has a loop in this thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


async def followed(feed, place):
    return [event async for event in feed.follow(place) if event[1][0] != "progress"]


@pytest.mark.parametrize("place", [0, 1, 2, 3, 5, 10**8])
def test_the_last_event_is_always_told(place):
    async def run():
        feed = Feed()
        following = asyncio.create_task(followed(feed, place))
        await asyncio.sleep(0)
        for number in range(2):
            await feed.add("answer", {"number": number})
        await feed.add("done", {})
        live = await asyncio.wait_for(following, 2)
        assert live[-1] == (3, ("done", {}))
        assert len(live) == max(1, 3 - place)
        assert await asyncio.wait_for(followed(feed, place), 2) == live

    in_a_thread(run())
