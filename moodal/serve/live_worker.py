"""LiveWorker: a process that answers live sessions, and scores other words of kept evidence.

Sessions share one model. They are answered in the order in which their blocks come.
"""

from __future__ import annotations

import io
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, MoodalError, UsageError
from moodal.model.keeping import Kept
from moodal.model.live import Live, LiveAnswer
from moodal.model.model import Model
from moodal.output.formats import from_json
from moodal.serve.answers import answer_of, document
from moodal.serve.channel import Message, WorkerEnd
from moodal.serve.failure import Failure, sentence_of, status_of
from moodal.serve.options import predict_options
from moodal.serve.privacy import ServedPrivacy
from moodal.serve.worker import EVIDENCE, RESULT, Load, begin, loaded, place_of

TYPES: dict[str, np.dtype[Any]] = {"pcm16": np.dtype("<i2"), "f32": np.dtype("<f4")}
"""The types of samples in a block."""

LARGEST_PICTURE = 16_000_000
"""Pixels of the largest picture."""


def attend(own: socket.socket, load: Load, names: tuple[str, ...]) -> None:
    """Answer sessions and scores until the server goes; the target of a live worker's process."""
    channel, inbox = begin(own)
    desk = Desk(channel, loaded(channel, load, names))
    while True:
        desk.take(*inbox.messages.get())


@dataclass
class LiveSession:
    """One session.

    Attributes:
        live: takes sound, pictures and words.
        model: that answers.
        type: of the samples.
        channels: of the samples.
        longest: seconds of the longest session.
        privacy: takes names and words out of answers, where the server does.
        computing: seconds of work that it may cost.
        spent: seconds of work so far.
    """

    live: Live
    model: Model
    type: np.dtype[Any]
    channels: int
    longest: float
    privacy: ServedPrivacy
    computing: float
    spent: float = 0.0

    def take(self, message: Message, payload: bytes) -> list[LiveAnswer]:
        """Take a message, and count the time that it costs.

        Raises:
            UsageError: the session has cost more than one may.
        """
        began = time.monotonic()
        answers = TAKES[message["kind"]](self, message, payload)
        self.spent += time.monotonic() - began
        if self.spent > self.computing:
            raise UsageError(f"A live session may be computed {self.computing / 60:g} minutes.")
        return answers

    def hear(self, message: Message, payload: bytes) -> list[LiveAnswer]:
        """Take a block of samples."""
        size = self.type.itemsize * self.channels
        if len(payload) % size:
            raise DataError(f"A block of sound has {len(payload)} bytes, no multiple of {size}.")
        samples = np.frombuffer(payload, self.type)
        self._require_time(self.live.seconds)
        return self.live.hear(samples if self.channels == 1 else samples.reshape(-1, self.channels))

    def see(self, message: Message, payload: bytes) -> list[LiveAnswer]:
        """Take a picture: its second (float64, little endian), and a JPEG file."""
        if len(payload) < 9:
            raise DataError("A picture is its second, 8 bytes, and a JPEG file.")
        [at] = struct.unpack("<d", payload[:8])
        self._require_time(at)
        return self.live.see(_picture(payload[8:]), at)

    def say(self, message: Message, payload: bytes) -> list[LiveAnswer]:
        """Take words."""
        self._require_time(max(message["start"], message["end"]))
        return self.live.say(message["words"], message["start"], message["end"])

    def finish(self, message: Message, payload: bytes) -> list[LiveAnswer]:
        """Take the end."""
        return self.live.finish()

    def _require_time(self, at: float) -> None:
        """Check that a session has not reached its longest time.

        Raises:
            UsageError: it has.
        """
        if at > self.longest:
            raise UsageError(f"A live session lasts {self.longest / 60:g} minutes at most.")


TAKES: dict[str, Callable[[LiveSession, Message, bytes], list[LiveAnswer]]] = {
    "sound": LiveSession.hear,
    "picture": LiveSession.see,
    "words": LiveSession.say,
    "finish": LiveSession.finish,
}
"""The kinds of what a session takes."""


@dataclass
class Desk:
    """All that one process answers.

    Attributes:
        channel: to the server.
        models: name -> model.
        sessions: that are open, by id.
    """

    channel: WorkerEnd
    models: Mapping[str, Model]
    sessions: dict[str, LiveSession] = field(default_factory=dict)

    def take(self, message: Message, payload: bytes) -> None:
        """Answer one message; a fault ends its session and no other."""
        id, kind = message["id"], message["kind"]
        try:
            if kind == "open":
                self.sessions[id] = self._opened(message)
            elif kind == "score":
                self._score(message)
            elif kind == "close":
                self.sessions.pop(id, None)
            elif id in self.sessions:
                self._feed(id, self.sessions[id], message, payload)
        except Failure as failure:
            self._fail(id, self._privacy(message).message(failure.sentence), failure.status)
        except MoodalError as error:
            names = {message["folder"]: "the job"} if "folder" in message else {}
            sentence = self._privacy(message).message(sentence_of(error, names))
            self._fail(id, sentence, status_of(error))
        except Exception as error:  # a fault of ours in one session ends no other
            kind = type(error).__name__
            self._fail(id, f"This cannot be answered ({kind}); please report it.", 500, error)

    def _privacy(self, message: Message) -> ServedPrivacy:
        """Return what is taken out of the answer to a message."""
        session = self.sessions.get(message["id"])
        if session is not None:
            return session.privacy
        return ServedPrivacy.of(message) if "pseudonyms" in message else ServedPrivacy()

    def _fail(self, id: str, sentence: str, code: int, error: Exception | None = None) -> None:
        self.sessions.pop(id, None)
        place = {} if error is None else {"place": place_of(error)}
        self.channel.send({"kind": "failed", "id": id, "error": sentence, "code": code, **place})

    def _opened(self, message: Message) -> LiveSession:
        model = self.models[message["artefact"]]
        options = predict_options(message["options"])
        live = model.stream(
            rate=message["rate"],
            channels=message["channels"],
            name="",
            pictures=message["pictures"],
            words=message["words"],
            options=options,
        )
        samples: np.dtype[Any] = TYPES[message["sound"] or "f32"]
        return LiveSession(
            live,
            model,
            samples,
            message["channels"],
            message["longest"],
            ServedPrivacy.of(message),
            message["computing"],
        )

    def _feed(self, id: str, session: LiveSession, message: Message, payload: bytes) -> None:
        """Give a session what came, and tell its answers."""
        answers = session.take(message, payload)
        for answer in answers:
            content = {
                "type": "provisional" if answer.provisional else "final",
                "at": round(answer.at, 3),
                "answer": answer_of(answer.prediction, session.model, session.privacy),
            }
            self.channel.send({"kind": "answer", "id": id, "content": content})
        if message["kind"] == "finish":
            text = document(session.privacy.timeline(session.live.timeline))
            del self.sessions[id]
            self.channel.send({"kind": "timeline", "id": id}, text.encode())
        else:
            self.channel.send({"kind": "taken", "id": id})

    def _score(self, message: Message) -> None:
        """Answer for other words of a job that has ended."""
        folder, model = Path(message["folder"]), self.models[message["artefact"]]
        try:
            [timeline] = from_json((folder / RESULT).read_text(encoding="utf-8"), "The result")
            kept = Kept.read(folder / EVIDENCE)
        except (FileNotFoundError, DataError):
            raise Failure(410, "What is needed to score other words was deleted.") from None
        options = predict_options({**message["options"], "emotions": message["emotions"]})
        text = document(model.rescore(timeline, kept, options))
        self.channel.send({"kind": "scored", "id": message["id"]}, text.encode())


def _picture(content: bytes) -> np.ndarray:
    """Decode a JPEG file: [height, width, 3] uint8.

    Raises:
        DataError: it is none, or too large.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
            if image.width * image.height > LARGEST_PICTURE:
                raise DataError("A picture has 16 million pixels at most.")
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"A picture is no JPEG file ({type(error).__name__}).") from None
