"""The database of jobs: what is damaged is said, what is old goes."""

import sqlite3
import time

import pytest

from moodal.core.errors import DataError, OutputError
from moodal.serve.jobs import JobStore, ServedJob
from moodal.serve.service import opened_service
from moodal.serve.settings import ServeSettings


def stored(path, **fields):
    store = JobStore(path)
    store.add(ServedJob(id="a", owner="b", name="c.wav", artefact="default", **fields))
    store.close()


def overwrite_page(path):
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xff" * 8192
    path.write_bytes(content)


def other_json(path):
    stored(path)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE jobs SET options = '{'")


def other_columns(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE jobs (id TEXT, owner TEXT, created REAL, starts INTEGER)")
        db.execute("INSERT INTO jobs VALUES ('a', 'b', 1, 0)")


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"no database at all, but long enough to be read" * 9),
        lambda path: (stored(path), overwrite_page(path)),
        other_json,
        other_columns,
    ],
)
def test_a_damaged_database_is_one_sentence(damage, tmp_path):
    settings = ServeSettings(folder=tmp_path)
    damage(tmp_path / "jobs.sqlite")
    with pytest.raises(DataError, match=r"jobs\.sqlite is damaged: .*--purge") as error:
        opened_service(settings, None)
    assert "\n" not in str(error.value)
    (tmp_path / "jobs.sqlite").unlink()
    for rest in tmp_path.glob("jobs.sqlite-*"):
        rest.unlink()
    service = opened_service(settings, None)  # the folder was released
    assert service.store.ids() == set()
    service.store.close()
    service.folder.close()


def test_a_database_that_is_in_use_is_not_called_damaged(tmp_path):
    path = tmp_path / "jobs.sqlite"
    stored(path)
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("DELETE FROM jobs")
        with pytest.raises(OutputError, match="cannot be used: database is locked"):
            JobStore(path)
        other.execute("ROLLBACK")


def test_tokens_that_are_not_good_any_more_are_deleted(tmp_path):
    store = JobStore(tmp_path / "jobs.sqlite")
    store.allow("old", time.time() - 1)
    store.allow("good", time.time() + 60)
    store.allow("lasting", None)
    store.delete_old_tokens()
    with sqlite3.connect(tmp_path / "jobs.sqlite") as db:
        rows = {owner for (owner,) in db.execute("SELECT owner FROM tokens")}
    assert rows == {"good", "lasting"}
    store.close()


def test_words_of_a_job_are_deleted_without_a_trace(tmp_path):
    path = tmp_path / "jobs.sqlite"
    store = JobStore(path)
    options = {"text": "canaryword", "emotions": "joy"}
    store.add(ServedJob(id="a", owner="b", name="", artefact="default", options=options))
    store.delete_text("a")
    store.delete_text("missing")
    assert store.get("a").options == {"emotions": "joy"}
    assert b"canaryword" not in path.read_bytes()
    assert b"canaryword" not in path.with_name("jobs.sqlite-wal").read_bytes()
    store.close()
