"""The events of a job, for those who follow it."""

import asyncio

import pytest

from moodal.serve.feed import Feed


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

    asyncio.run(run())
