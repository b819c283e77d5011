"""Channel: messages between the server and one of its workers, over a pair of sockets.

A message is a JSON object and some bytes. JSON, not pickles: a worker decodes strangers' media,
and what it says is read as data even if a decoder was broken into.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import Any

_HEAD = struct.Struct("<II")
LARGEST = 256 << 20
"""Bytes of the largest message."""

Message = dict[str, Any]


def packed(message: Message, payload: bytes = b"") -> bytes:
    """Return a message as it goes over the socket."""
    text = json.dumps(message, allow_nan=False).encode()
    return _HEAD.pack(len(text), len(payload)) + text + payload


@dataclass
class ServerEnd:
    """The end of a channel in the server.

    Attributes:
        reader, writer: asyncio's streams of the socket.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def of(cls, own: socket.socket) -> ServerEnd:
        """Open the streams of a socket."""
        return cls(*await asyncio.open_connection(sock=own))

    async def send(self, message: Message, payload: bytes = b"") -> None:
        """Send a message, and wait while the worker has too many unread ones.

        Raises:
            OSError: the worker has gone.
        """
        self.writer.write(packed(message, payload))
        await self.writer.drain()

    async def receive(self) -> tuple[Message, bytes] | None:
        """Return the next message; None when the worker has gone."""
        try:
            sizes = _HEAD.unpack(await self.reader.readexactly(_HEAD.size))
            if sum(sizes) > LARGEST:
                return None
            content = await self.reader.readexactly(sum(sizes))
            message = json.loads(content[: sizes[0]])
        except (OSError, EOFError, ValueError):
            return None
        return (message, content[sizes[0] :]) if isinstance(message, dict) else None

    def close(self) -> None:
        """Close the socket."""
        self.writer.close()


@dataclass
class WorkerEnd:
    """The end of a channel in a worker, which blocks.

    Attributes:
        own: the socket.
    """

    own: socket.socket
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, message: Message, payload: bytes = b"") -> None:
        """Send a message.

        Raises:
            OSError: the server has gone.
        """
        with self._lock:
            self.own.sendall(packed(message, payload))

    def receive(self) -> tuple[Message, bytes] | None:
        """Wait for the next message; None when the server has gone."""
        try:
            head = self._read(_HEAD.size)
            if head is None:
                return None
            sizes = _HEAD.unpack(head)
            content = self._read(sum(sizes))
        except OSError:
            return None
        if content is None:
            return None
        return json.loads(content[: sizes[0]]), content[sizes[0] :]

    def _read(self, count: int) -> bytes | None:
        pieces = bytearray()
        while len(pieces) < count:
            piece = self.own.recv(min(1 << 20, count - len(pieces)))
            if not piece:
                return None
            pieces += piece
        return bytes(pieces)
