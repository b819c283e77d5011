"""Privacy: what is taken out of answers and messages before they are shown or written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from moodal.core.errors import DataError
from moodal.core.pseudonyms import Pseudonyms, without_quotes
from moodal.core.timeline import Prediction, Timeline
from moodal.core.words import without_text


@dataclass(frozen=True)
class Privacy:
    """The protection of one command's outputs.

    Attributes:
        pseudonyms: other names for recordings, speakers and paths; None: names remain.
        text: whether words may be shown.
        renamed: whether recordings have their pseudonyms already, as files that were uploaded.
    """

    pseudonyms: Pseudonyms | None = None
    text: bool = True
    renamed: bool = False

    @classmethod
    def of(cls, key: Path | str | None, no_text: bool = False) -> Privacy:
        """Return what the options ``--pseudonyms`` and ``--no-text`` ask for.

        Raises:
            DataError: the key is damaged.
        """
        return cls(None if key is None else Pseudonyms(key), not no_text)

    def timeline(self, timeline: Timeline) -> Timeline:
        """Return a timeline that may be shown; new pseudonyms are in the key before this returns.

        Raises:
            OutputError: the key cannot be written.
        """
        if not self.text:
            timeline = _unquoted(without_text(timeline))
        if self.pseudonyms is not None:
            timeline = self.pseudonyms.timeline(timeline, renamed=self.renamed)
            self.pseudonyms.save()
        return timeline

    def recording(self, path: str) -> str:
        """Return the name under which a recording is shown."""
        return path if self.pseudonyms is None else self.pseudonyms.recording(path)

    def path(self, path: Path | str) -> str:
        """Return the name under which another file is shown."""
        return str(path) if self.pseudonyms is None else self.pseudonyms.other_path(path)

    def hide(self, argument: Path | str) -> None:
        """Hide the file that an argument names, in ``MODALITY=FILE`` too, from every message."""
        name = str(argument).rpartition("=")[2]
        if self.pseudonyms is not None and Path(name).exists():
            self.pseudonyms.other_path(name)

    def require_protected(self, timeline: Timeline, file: Path) -> None:
        """Refuse to go on with a file of answers that shows what is to be hidden.

        Raises:
            DataError: the file holds words, or a name that is no pseudonym.
        """
        if not self.text and any(p.text or p.words for p in timeline.rows):
            raise DataError(f"{file} holds words; name another --out, or leave --no-text out.")
        if self.pseudonyms is not None and not self.pseudonyms.is_pseudonym(timeline.path):
            raise DataError(
                f"{file} holds names that are no pseudonyms of {self.pseudonyms.path}; name "
                "another --out."
            )

    def message(self, text: str) -> str:
        """Return a sentence that may be shown.

        Raises:
            OutputError: the key cannot be written.
        """
        if self.pseudonyms is not None:
            text = self.pseudonyms.message(text)
            self.pseudonyms.save()
            return text
        return text if self.text else without_quotes(text)


def _unquoted(timeline: Timeline) -> Timeline:
    """Return a timeline whose notes and flags quote nothing."""

    def unquoted(p: Prediction) -> Prediction:
        return replace(
            p,
            flags=tuple(map(without_quotes, p.flags)),
            absent={m: without_quotes(why) for m, why in p.absent.items()},
            slices=tuple(map(unquoted, p.slices)),
        )

    return replace(
        timeline,
        predictions=tuple(map(unquoted, timeline)),
        notes=tuple(map(without_quotes, timeline.notes)),
        absent={m: without_quotes(why) for m, why in timeline.absent.items()},
    )
