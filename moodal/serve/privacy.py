"""Served privacy: names and words are taken out of what the processes of a server answer.

Every process may add names to the key, so it is read, and written, by one of them at a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moodal.core.errors import DataError, MoodalError
from moodal.core.files import folder_lock
from moodal.core.privacy import Privacy
from moodal.core.pseudonyms import PseudonymKind, Pseudonyms
from moodal.core.timeline import Timeline
from moodal.model.keeping import Kept
from moodal.serve.channel import Message
from moodal.serve.failure import Failure
from moodal.serve.jobs import JobStore

UNUSABLE = "The server's key of pseudonyms cannot be used; whoever runs the server can mend it."


@dataclass(frozen=True)
class ServedPrivacy:
    """The protection of all that a server answers, keeps and logs.

    Attributes:
        key: the file of pseudonyms; None where names remain.
        text: whether words may be shown.
    """

    key: Path | None = None
    text: bool = True

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> ServedPrivacy:
        """Return what a message to a worker asks for, see `to_dict`."""
        key = message["pseudonyms"]
        return cls(None if key is None else Path(key), message["text"])

    def to_dict(self) -> Message:
        """Return what tells a worker of it."""
        return {"pseudonyms": None if self.key is None else str(self.key), "text": self.text}

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Privacy]:
        if self.key is None:
            yield Privacy(text=self.text)
            return
        with folder_lock(self.key.parent):
            yield Privacy(Pseudonyms(self.key), self.text, renamed=True)

    def file(self, kind: str, name: str) -> str:
        """Return the name under which a server knows an uploaded file.

        Args:
            kind: see `moodal.serve.options.FILES`.
            name: the client's name of it.

        Raises:
            Failure: the key cannot be read or written.
        """
        try:
            with self._opened() as privacy:
                if privacy.pseudonyms is None:
                    return name
                role: PseudonymKind = "recording" if kind == "file" else "path"
                pseudonym = privacy.pseudonyms.uploaded(name, role)
                privacy.pseudonyms.save()
                return pseudonym
        except MoodalError:
            raise Failure(500, UNUSABLE) from None

    def timeline(self, timeline: Timeline) -> Timeline:
        """Return a timeline that may be shown; its path is that which `file` returned.

        Raises:
            MoodalError: the key cannot be read or written.
        """
        with self._opened() as privacy:
            return privacy.timeline(timeline)

    def kept(self, kept: Kept) -> Kept:
        """Return evidence without names and words.

        Raises:
            MoodalError: the key cannot be read or written.
        """
        own = kept if self.text else kept.without_text()
        if self.key is None:
            return own
        with self._opened() as privacy:
            utterances = (
                replace(one, flags=tuple(map(privacy.message, one.flags))) for one in own.utterances
            )
            notes = tuple(map(privacy.message, own.notes))
            return replace(own, notes=notes, utterances=tuple(utterances))

    def message(self, text: str) -> str:
        """Return a sentence without names, for clients."""
        if self.key is None:
            return text
        try:
            with self._opened() as privacy:
                return privacy.message(text)
        except MoodalError:
            return UNUSABLE

    def require_protected(self, store: JobStore) -> None:
        """Check that a server's jobs of earlier show no name.

        Raises:
            DataError: the key is damaged, or a job has a name that is no pseudonym.
        """
        with self._opened() as privacy:
            if privacy.pseudonyms is None:
                return
            if not all(map(privacy.pseudonyms.is_pseudonym, store.names())):
                raise DataError(
                    f"The data folder holds jobs with names that are no pseudonyms of {self.key}; "
                    "name another folder by --data, or delete all jobs by moodal serve --purge."
                )
