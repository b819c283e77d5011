"""Jobs: what was asked, by whom, and what became of it, in a database that survives a restart.

The database is SQLite's in write-ahead mode. What is deleted is overwritten there (secure_delete),
and the log is cut off afterwards, so that nothing deleted can be found in the data folder.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moodal.core.errors import DataError, OutputError

ACTIVE = ("queued", "running")
ENDED = ("done", "failed", "cancelled")
MOST_STARTS = 3
"""Times that a job is begun; one that ends the whole server is not tried for ever."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, artefact TEXT NOT NULL,
  options TEXT NOT NULL, files TEXT NOT NULL, waited INTEGER NOT NULL, status TEXT NOT NULL,
  error TEXT, created REAL NOT NULL, ended REAL, expires REAL, starts INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS jobs_of ON jobs (owner, created);
CREATE TABLE IF NOT EXISTS tokens (owner TEXT PRIMARY KEY, expires REAL);
"""


@dataclass(frozen=True)
class ServedJob:
    """One job.

    Attributes:
        id: random.
        owner: the hash of the token to which it belongs.
        name: the client's name of the file, cleaned; "" for a text.
        artefact: the name of the model.
        options: of the prediction.
        files: kind of file, see `moodal.serve.options.FILES` -> the client's name of it, cleaned.
        waited: whether a request waits for its answer, so that nothing is kept of it.
        status: "queued", "running", "done", "failed" or "cancelled".
        error: one sentence, of a job that failed.
        created, ended, expires: seconds since 1970; None where not yet known.
        starts: how many times it was begun.
    """

    id: str
    owner: str
    name: str
    artefact: str
    options: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    waited: bool = False
    status: str = "queued"
    error: str | None = None
    created: float = field(default_factory=time.time)
    ended: float | None = None
    expires: float | None = None
    starts: int = 0

    @property
    def is_active(self) -> bool:
        """True while it waits or runs."""
        return self.status in ACTIVE

    def described(self, progress: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return what a client may know of it, JSON-ready.

        Args:
            progress: see `moodal.serve.feed.Feed.progress`; None where it neither waits nor runs.
        """
        names = ("id", "name", "status", "error", "created", "ended", "expires", "artefact")
        return {**{name: getattr(self, name) for name in names}, "progress": progress}


@dataclass(frozen=True)
class _End:
    """The end of a job; its fields are those of `ServedJob`."""

    status: str
    error: str | None
    ended: float
    expires: float


def new_id() -> str:
    """Return a name that nobody can guess."""
    return secrets.token_urlsafe(18)


class JobStore:
    """The database of jobs and tokens; one server at a time uses it.

    Args:
        path: of the database; it is created where it is missing.

    Raises:
        DataError: the database is damaged.
        OutputError: it cannot be read or written.
    """

    def __init__(self, path: Path):
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        try:
            for pragma in ("journal_mode=WAL", "secure_delete=ON", "synchronous=FULL"):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.executescript(_SCHEMA)
            self._require_sound()
        except sqlite3.OperationalError as error:
            self._db.close()
            raise OutputError(f"{path} cannot be used: {error}.") from None
        except (sqlite3.DatabaseError, ValueError, TypeError, KeyError) as error:
            self._db.close()
            why = " ".join(str(error).split())
            raise DataError(
                f"{path} is damaged: {why}. Name another folder by --data, or delete all jobs "
                "and results by moodal serve --purge."
            ) from None
        self._ends: dict[str, _End] = {}

    def _require_sound(self) -> None:
        """Check that every page and every job can be read.

        Raises:
            sqlite3.DatabaseError: one cannot.
            ValueError, TypeError, KeyError: a job's options are no JSON, or columns are not ours.
        """
        [[first]] = self._db.execute("PRAGMA quick_check(1)").fetchall()
        if first != "ok":
            raise sqlite3.DatabaseError(first)
        for row in self._db.execute("SELECT * FROM jobs"):
            _job(row)
        self._db.execute("SELECT owner, expires FROM tokens").fetchall()

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def add(self, job: ServedJob) -> None:
        """Keep a new job."""
        self._db.execute(
            "INSERT INTO jobs VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                job.id,
                job.owner,
                job.name,
                job.artefact,
                json.dumps(job.options),
                json.dumps(job.files),
                job.waited,
                job.status,
                job.error,
                job.created,
                job.ended,
                job.expires,
                job.starts,
            ),
        )

    def get(self, id: str, owner: str | None = None) -> ServedJob | None:
        """Return a job; None where there is none, or it is another owner's."""
        rows = self._jobs("WHERE id = ? AND owner = coalesce(?, owner)", (id, owner))
        return rows[0] if rows else None

    def of(self, owner: str) -> list[ServedJob]:
        """Return the jobs of an owner for which nobody waits, the newest first."""
        return self._jobs("WHERE owner = ? AND NOT waited ORDER BY created DESC", (owner,))

    def queued(self) -> list[ServedJob]:
        """Return the jobs that wait, the oldest first."""
        return self._jobs("WHERE status = 'queued' ORDER BY created", ())

    def ids(self) -> set[str]:
        """Return the ids of all jobs."""
        return {row["id"] for row in self._db.execute("SELECT id FROM jobs")}

    def names(self) -> set[str]:
        """Return the names of all jobs."""
        return {row["name"] for row in self._db.execute("SELECT name FROM jobs")}

    def start(self, id: str) -> bool:
        """Mark a job as begun; return whether it still waited."""
        if id in self._ends:
            return False
        changed = self._db.execute(
            "UPDATE jobs SET status = 'running', starts = starts + 1 "
            "WHERE id = ? AND status = 'queued'",
            (id,),
        )
        return changed.rowcount == 1

    def give_back(self, ids: Sequence[str]) -> None:
        """Queue again what the server itself stopped in order, as if it had not been begun."""
        self._db.executemany(
            "UPDATE jobs SET status = 'queued', starts = starts - 1 "
            "WHERE id = ? AND status = 'running'",
            [(id,) for id in ids if id not in self._ends],
        )

    def end(self, id: str, status: str, error: str | None = None, retain: float = 0.0) -> None:
        """Mark a job as ended, which is once and for all; `record` writes it.

        Args:
            id: the job.
            status: one of `ENDED`.
            error: of a job that failed.
            retain: seconds after which it is to be deleted.
        """
        now = time.time()
        self._ends.setdefault(id, _End(status, error, now, now + retain))

    def record(self) -> list[tuple[str, str]]:
        """Write the ends that are not yet written; return the id and status of each.

        Raises:
            sqlite3.Error: one cannot be written; it is kept in memory until the next call.
        """
        self._db.executemany(
            "UPDATE jobs SET status = ?, error = ?, ended = ?, expires = ? WHERE id = ? "
            "AND status IN ('queued', 'running')",
            [(*dataclasses.astuple(end), id) for id, end in self._ends.items()],
        )
        recorded = [(id, end.status) for id, end in self._ends.items()]
        self._ends.clear()
        return recorded

    def ended(self) -> list[tuple[str, str]]:
        """Return the id and status of the jobs that have ended."""
        rows = self._db.execute(
            "SELECT id, status FROM jobs WHERE status NOT IN ('queued', 'running')"
        )
        return [(row["id"], row["status"]) for row in rows]

    def is_sound(self) -> bool:
        """Return whether the database can be read, and every end was written to it."""
        try:
            self._db.execute("SELECT count(*) FROM tokens").fetchone()
        except sqlite3.Error:
            return False
        return not self._ends

    def delete(self, ids: Sequence[str]) -> None:
        """Delete jobs, without a trace in the database and its log."""
        if not ids:
            return
        for id in ids:
            self._ends.pop(id, None)
        self._db.executemany("DELETE FROM jobs WHERE id = ?", [(id,) for id in ids])
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def expired(self) -> list[str]:
        """Return the ids of jobs whose time is over."""
        rows = self._db.execute("SELECT id FROM jobs WHERE expires <= ?", (time.time(),))
        return [row["id"] for row in rows]

    def recover(self, retain: float) -> None:
        """Queue again what ran when the server ended; forget what a request waited for.

        Args:
            retain: seconds after which a job that is given up is to be deleted.
        """
        waited = self._db.execute("SELECT id FROM jobs WHERE waited").fetchall()
        self.delete([row["id"] for row in waited])
        for job in self._jobs("WHERE status = 'running' AND starts >= ?", (MOST_STARTS,)):
            self.end(
                job.id,
                "failed",
                f"The server ended {job.starts} times while it worked on this; it is not tried "
                "again.",
                retain,
            )
        self.record()
        self._db.execute("UPDATE jobs SET status = 'queued' WHERE status = 'running'")

    def allow(self, owner: str, expires: float | None) -> None:
        """Keep the hash of a token."""
        self._db.execute("INSERT OR REPLACE INTO tokens VALUES (?, ?)", (owner, expires))

    def delete_old_tokens(self) -> None:
        """Delete the hashes of tokens that are not good any more."""
        self._db.execute("DELETE FROM tokens WHERE expires <= ?", (time.time(),))

    def delete_text(self, id: str) -> None:
        """Delete the words that were sent with a job, without a trace."""
        job = self.get(id)
        if job is not None and "text" in job.options:
            options = {name: value for name, value in job.options.items() if name != "text"}
            self._db.execute("UPDATE jobs SET options = ? WHERE id = ?", (json.dumps(options), id))
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def is_allowed(self, owner: str) -> bool:
        """Return whether a token with this hash was given out and is still good."""
        row = self._db.execute("SELECT expires FROM tokens WHERE owner = ?", (owner,)).fetchone()
        return row is not None and (row["expires"] is None or row["expires"] > time.time())

    def _jobs(self, where: str, values: tuple[Any, ...]) -> list[ServedJob]:
        rows = self._db.execute(f"SELECT * FROM jobs {where}", values).fetchall()
        jobs = [_job(row) for row in rows]
        return [
            dataclasses.replace(job, **dataclasses.asdict(self._ends[job.id]))
            if job.id in self._ends
            else job
            for job in jobs
        ]


def _job(row: sqlite3.Row) -> ServedJob:
    own = dict(row)
    own["options"] = json.loads(own["options"])
    own["files"] = json.loads(own["files"])
    own["waited"] = bool(own["waited"])
    return ServedJob(**own)
