"""Worker: a process that loads the models and answers one job after the other.

It decodes strangers' media, so it may crash at any time; the server then tells its job as failed
and starts another. It writes nothing to the terminal, as codecs print names of files.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moodal.core.errors import MoodalError
from moodal.core.files import replacing
from moodal.core.timeline import Prediction, Timeline
from moodal.model.keeping import Keeper
from moodal.model.model import Model
from moodal.serve.answers import answer_of, document
from moodal.serve.channel import Message, WorkerEnd
from moodal.serve.failure import Failure, sentence_of, status_of
from moodal.serve.options import predict_options
from moodal.serve.privacy import ServedPrivacy

Load = Callable[[str], Model]
"""Loads the model of a name; it can be pickled."""

RESULT, EVIDENCE = "result.json", "evidence.npz"


class _Cancelled(Exception):
    """The job that runs is not wanted any more."""


@dataclass
class Inbox:
    """The messages for a worker, read while it works.

    Attributes:
        messages: those that wait; None when the server has gone.
        cancelled: the ids of jobs that are not wanted any more.
    """

    messages: queue.SimpleQueue[tuple[Message, bytes]] = field(default_factory=queue.SimpleQueue)
    cancelled: set[str] = field(default_factory=set)

    def read(self, channel: WorkerEnd) -> None:
        """Read messages until the server goes, and then end this process."""
        while (received := channel.receive()) is not None:
            if received[0].get("kind") == "cancel":
                self.cancelled.add(received[0]["id"])
            else:
                self.messages.put(received)
        os._exit(0)  # whatever runs: nobody waits for it


def begin(own: socket.socket) -> tuple[WorkerEnd, Inbox]:
    """Prepare this process as a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server is told, and tells
    with contextlib.suppress(OSError):  # where memory ends, the server is not the one to go
        Path("/proc/self/oom_score_adj").write_text("500")
    channel, inbox = WorkerEnd(own), Inbox()
    threading.Thread(target=inbox.read, args=(channel,), daemon=True).start()
    return channel, inbox


def silence() -> None:
    """Let everything that libraries print go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(nowhere, stream.fileno())


def loaded(channel: WorkerEnd, load: Load, names: tuple[str, ...]) -> dict[str, Model]:
    """Load the models and tell the server so; end the process if one cannot be loaded."""
    try:
        models = {name: load(name) for name in names}
    except MoodalError as error:
        channel.send({"kind": "unable", "error": str(error), "code": error.exit_code})
        os._exit(error.exit_code)
    silence()
    channel.send(
        {"kind": "ready", "models": [described(name, model) for name, model in models.items()]}
    )
    return models


def described(name: str, model: Model) -> dict[str, Any]:
    """Return what a client may know of a model, to choose one and to ask it, JSON-ready.

    Args:
        name: by which clients ask for it.
        model: the model.
    """
    info = model.info
    return {
        "name": name,
        "system": info.name,
        "digest": info.digest,
        "moodal": info.moodal,
        "kind": info.kind,
        "modalities": [dataclasses.asdict(info.modality(m)) for m in model.modalities],
        "emotions": list(info.answered),
        "words": sorted({word for own in model.scorer.learned.values() for word in own}),
        "prior": model.scorer.assumes,
        "rescored": info.kind == "fused",
        "licence": info.licence,
        "made_up": info.made_up,
    }


def work(own: socket.socket, load: Load, names: tuple[str, ...]) -> None:
    """Answer jobs until the server goes; the target of a worker's process."""
    channel, inbox = begin(own)
    models = loaded(channel, load, names)
    while True:
        message, _ = inbox.messages.get()
        one = Work(channel, inbox, message)
        channel.send({"kind": "ended", "id": message["id"], **one.outcome(models)})
        inbox.cancelled.discard(message["id"])


@dataclass
class Work:
    """The work on one job.

    Attributes:
        channel: to the server.
        inbox: tells when the job is not wanted any more.
        message: the job: "id", "folder", "name", "artefact", "options", "files", "longest",
            "text", "pseudonyms", "waited".
    """

    channel: WorkerEnd
    inbox: Inbox
    message: Mapping[str, Any]

    def outcome(self, models: Mapping[str, Model]) -> Message:
        """Do the work; return its status, and the error of one that failed."""
        try:
            self._predict(models[self.message["artefact"]])
        except _Cancelled:
            return {"status": "cancelled"}
        except Failure as failure:
            sentence = self._privacy.message(failure.sentence)
            return {"status": "failed", "error": sentence, "code": failure.status}
        except MoodalError as error:
            sentence = self._privacy.message(sentence_of(error, self._names))
            return {"status": "failed", "error": sentence, "code": status_of(error)}
        except Exception as error:  # a fault of ours in one file ends no other job
            kind = type(error).__name__
            sentence = f"{self._name} cannot be read ({kind}); please report this."
            return {"status": "failed", "error": sentence, "code": 500, "place": place_of(error)}
        return {"status": "done"}

    @property
    def _folder(self) -> Path:
        return Path(self.message["folder"])

    @property
    def _privacy(self) -> ServedPrivacy:
        return ServedPrivacy.of(self.message)

    @property
    def _name(self) -> str:
        return str(self.message["name"] or "The text")

    @property
    def _names(self) -> dict[str, str]:
        """The names by which the client knows the files that are read."""
        files = {str(self._folder / kind): name for kind, name in self.message["files"].items()}
        return {**files, str(self._folder): "the upload"}

    def _file(self, kind: str) -> Path | None:
        return self._folder / kind if kind in self.message["files"] else None

    def _predict(self, model: Model) -> None:
        source = self._file("file")
        options = predict_options(
            self.message["options"], subtitles=self._file("subtitles"), rttm=self._file("rttm")
        )
        model.check(options)
        if source is not None:
            self._tell_duration(source)
        timeline: Timeline | None = None
        keeper = Keeper(model.info.digest)
        name = self.message["name"]
        for answer in model.follow(source, name=name, options=options, keeper=keeper):
            self._require_wanted()
            if isinstance(answer, Prediction):
                self._tell(answer, model)
            else:
                timeline = answer
        assert timeline is not None
        timeline = self._privacy.timeline(dataclasses.replace(timeline, path=name))
        kept = keeper.kept
        if kept is not None and model.info.kind == "fused" and not self.message["waited"]:
            self._privacy.kept(kept).write(self._folder / EVIDENCE)
        with replacing(self._folder / RESULT) as part:
            part.write_text(document(timeline), encoding="utf-8")

    def _tell_duration(self, source: Path) -> None:
        """Tell how long the recording is, as far as its header says so.

        Raises:
            Failure: it is too long.
        """
        from moodal.media.probe import probe

        seconds = probe(source).seconds
        self._require_short(seconds)
        self.channel.send({"kind": "duration", "id": self.message["id"], "seconds": seconds})

    def _require_short(self, seconds: float | None) -> None:
        longest = self.message["longest"]
        if seconds is not None and seconds > longest:
            raise Failure(
                413, f"{self._name} is longer than {longest / 60:g} minutes; cut it into parts."
            )

    def _require_wanted(self) -> None:
        if self.message["id"] in self.inbox.cancelled:
            raise _Cancelled

    def _tell(self, answer: Prediction, model: Model) -> None:
        """Tell the server an answer as it is given."""
        self._require_short(answer.end)
        self.channel.send(
            {
                "kind": "answer",
                "id": self.message["id"],
                "seconds": answer.end,
                "answer": answer_of(answer, model, self._privacy, self.message["name"]),
            }
        )


def place_of(error: BaseException) -> str:
    """Return the module and line in which an error arose, which tells nothing of its content."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
