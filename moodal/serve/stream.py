"""Stream: live sessions over a WebSocket.

The client's first message says what it will send; then come blocks of sound, pictures and words,
and answers go back as they are given. A client that sends faster than it is answered is read more
slowly, so that no session fills the memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from moodal.core.guard import plain
from moodal.serve.channel import Message
from moodal.serve.failure import Failure
from moodal.serve.live_pool import LiveLine
from moodal.serve.options import question
from moodal.serve.opus import decode_stream
from moodal.serve.service import Service
from moodal.serve.uploads import json_object
from moodal.serve.workers import WorkerProcess

SOUND, PICTURE = 1, 2
"""The first byte of a binary message."""
BEHIND = 64
"""The number of messages that may wait for a session's answers before no more is read."""
RATES = (4000, 192000)
FIRST = ("sound", "rate", "channels", "options", "artefact", "words", "pictures")
"""The fields of the first message."""


def stream_router(service: Service) -> APIRouter:
    """Return the route of live sessions."""
    router = APIRouter()

    @router.websocket("/v1/stream")
    async def stream(socket: WebSocket) -> None:
        """Answer one live session."""
        await socket.accept()
        if service.sessions >= service.settings.limits.sessions:
            await _fail(socket, Failure(429, "The server has as many live sessions as it takes."))
            return
        service.sessions += 1
        service.metrics.sessions.set(service.sessions)
        try:
            await _Conversation(service, socket).hold()
        except Failure as failure:
            await _fail(socket, failure)
        except (WebSocketDisconnect, RuntimeError):
            pass  # the client has gone
        finally:
            service.sessions -= 1
            service.metrics.sessions.set(service.sessions)

    return router


async def _fail(socket: WebSocket, failure: Failure) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await socket.send_json({"type": "error", "message": failure.sentence})
        await socket.close(1008 if failure.status < 500 else 1011)


@dataclass
class _Conversation:
    """One live session.

    Attributes:
        service: of the server.
        socket: to the client.
        taken: arrival times of the messages that are not answered yet.
    """

    service: Service
    socket: WebSocket
    taken: deque[float] = field(default_factory=deque)
    room: asyncio.Event = field(default_factory=asyncio.Event)

    async def hold(self) -> None:
        """Hold the session to its end.

        Raises:
            Failure: it cannot go on.
            WebSocketDisconnect: the client has gone.
        """
        first = _first(await self._received(), self.service.settings.artefacts)
        async with self.service.pool.line() as line, self._decoder(first) as decoder:
            if decoder is None:
                await line.send(self._opening(first, first["rate"], first["channels"]))
            tasks = [
                asyncio.create_task(self._feed(line, decoder, first)),
                asyncio.create_task(self._answer(line)),
            ]
            if decoder is not None:
                tasks.append(asyncio.create_task(self._decode(decoder, line, first)))
            answering = tasks[1]
            try:
                while not answering.done():
                    pending = [task for task in tasks if not task.done()]
                    done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        await self.socket.close()

    def _opening(self, first: Mapping[str, Any], rate: int | None, channels: int) -> Message:
        limits = self.service.settings.limits
        sound = "f32" if first["sound"] == "webm" else first["sound"]
        more = {"rate": rate, "channels": channels, "sound": sound}
        bounds = {"longest": limits.duration, "computing": limits.computing}
        return {"kind": "open", **first, **more, **bounds, **self.service.privacy.to_dict()}

    async def _received(self) -> dict[str, Any]:
        """Return the next message of the client.

        Raises:
            WebSocketDisconnect: it has gone.
            Failure: it said nothing for long.
        """
        try:
            async with asyncio.timeout(2 * self.service.settings.limits.idle):
                message = await self.socket.receive()
        except TimeoutError:
            raise Failure(408, "Nothing came for long, so the session was ended.") from None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1000))
        return dict(message)

    async def _feed(
        self, line: LiveLine, decoder: WorkerProcess | None, first: Mapping[str, Any]
    ) -> None:
        """Hand on what the client sends, until it ends or goes."""
        while True:
            message = await self._received()
            if message.get("text") is not None:
                text = json_object(message["text"], "A text message")
                if text.get("end") is True:
                    finish = {"kind": "finish"}
                    await (line.send(finish) if decoder is None else decoder.channel.send(finish))
                    break
                await self._send(line, {"kind": "words", **_words(text)})
                continue
            content: bytes = message.get("bytes") or b""
            kind = content[0] if content else 0
            if kind == PICTURE:
                await self._send(line, {"kind": "picture"}, content[1:])
            elif kind != SOUND:
                raise Failure(400, "A binary message begins with 1 (sound) or 2 (a picture).")
            elif first["sound"] is None:
                raise Failure(400, "The first message says that no sound will come.")
            elif decoder is None:
                await self._send(line, {"kind": "sound"}, content[1:])
            else:
                await decoder.channel.send({"kind": "piece"}, content[1:])
        while True:  # only to see that the client is still there
            await self._received()

    async def _send(self, line: LiveLine, message: Message, payload: bytes = b"") -> None:
        while len(self.taken) >= BEHIND:
            self.room.clear()
            await self.room.wait()
        self.taken.append(time.monotonic())
        await line.send(message, payload)

    async def _answer(self, line: LiveLine) -> None:
        """Hand answers to the client, until the timeline."""
        while True:
            message, payload = await line.answers.get()
            kind = message["kind"]
            if kind == "taken" and self.taken:
                self.service.metrics.latency.observe(time.monotonic() - self.taken.popleft())
                self.room.set()
            elif kind == "answer":
                await self.socket.send_json(message["content"])
            elif kind == "failed":
                raise Failure(message["code"], message["error"])
            elif kind == "timeline":
                await self.socket.send_text(
                    f'{{"type": "timeline", "timeline": {payload.decode()}}}'
                )
                return

    @contextlib.asynccontextmanager
    async def _decoder(self, first: Mapping[str, Any]) -> AsyncIterator[WorkerProcess | None]:
        """Start a process that decodes, where the sound is coded."""
        if first["sound"] != "webm":
            yield None
            return
        decoder = await WorkerProcess.start(decode_stream, ())
        try:
            yield decoder
        finally:
            await decoder.stop()

    async def _decode(
        self, decoder: WorkerProcess, line: LiveLine, first: Mapping[str, Any]
    ) -> None:
        """Hand on the sound as it is decoded; the first of it opens the session."""
        opened = False
        while (received := await decoder.channel.receive()) is not None:
            message, samples = received
            if message["kind"] == "sound":
                if not opened:
                    opened = True
                    await line.send(self._opening(first, message["rate"], message["channels"]))
                await self._send(line, {"kind": "sound"}, samples)
            elif message["kind"] == "decoded" and opened:
                await line.send({"kind": "finish"})
                return
            else:
                break
        raise Failure(400, "The sound is no WebM or Ogg stream that can be decoded.")


def _first(message: Mapping[str, Any], artefacts: tuple[str, ...]) -> dict[str, Any]:
    """Read the first message of a session.

    Raises:
        Failure: it is wrong.
    """
    if message.get("text") is None:
        raise Failure(400, "The first message is a JSON object: what will be sent.")
    content = json_object(message["text"], "A text message")
    if unknown := [name for name in content if name not in FIRST]:
        raise Failure(
            400, f"There is no field {plain(unknown[0])[:40]!r}; there are {', '.join(FIRST)}."
        )
    sound, channels = content.get("sound"), content.get("channels", 1)
    rate: Any = content.get("rate")
    if sound not in (None, "pcm16", "f32", "webm"):
        raise Failure(400, "sound is pcm16, f32, webm or null.")
    if sound in ("pcm16", "f32") and not (_whole(rate) and RATES[0] <= rate <= RATES[1]):
        raise Failure(400, f"rate is the samples per second, {RATES[0]} to {RATES[1]}.")
    if not (_whole(channels) and 1 <= channels <= 8):
        raise Failure(400, "channels is 1 to 8.")
    options = content.get("options") or {}
    if not isinstance(options, dict):
        raise Failure(400, "options is a JSON object.")
    fields = {name: _field(value) for name, value in options.items()}
    if "artefact" in content:
        fields["artefact"] = _field(content["artefact"])
    asked = question(fields, artefacts)
    if "text" in asked.options:
        raise Failure(400, "Words of a live session come as messages of their own.")
    return {
        "artefact": asked.artefact,
        "options": asked.options,
        "sound": sound,
        "rate": None if sound in (None, "webm") else rate,
        "channels": channels,
        "words": content.get("words") is True,
        "pictures": content.get("pictures") is True,
    }


def _field(value: object) -> str:
    """Return an option of JSON as the text of a form's field."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(str, value))
    if isinstance(value, dict):
        return json.dumps(value)
    return "" if value is None else str(value)


def _words(content: Mapping[str, Any]) -> dict[str, Any]:
    words, start, end = content.get("words"), content.get("start"), content.get("end")
    if not isinstance(words, str) or not (_finite(start) and _finite(end)):
        raise Failure(
            400, 'A text message is {"words": ..., "start": s, "end": s} or {"end": true}.'
        )
    return {"words": plain(words), "start": start, "end": end}


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _finite(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)  # type: ignore[arg-type]
