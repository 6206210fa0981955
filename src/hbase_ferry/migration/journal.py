"""The journal: every event of a migration on disk, in order, and the facts that cannot be observed twice.

Invariant: `append` returns after the row is on the disk (rollback journal, synchronous=EXTRA: SQLite's WAL mode has
a corruption bug in the versions that systems ship). The journal is history, never the truth about a cluster: what is
done is computed from views; only proofs, waivers and canaries are read back from here.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hbase_ferry.errors import FerryError, Refused
from hbase_ferry.model.event import Event, EventKind, Json

APPLICATION, FORMAT = 0x46455252, 1
"""SQLite's application_id ("FERR") and user_version of a journal."""
_SCHEMA = (
    "create table meta (key text primary key, value text not null) strict",
    "create table events (number integer primary key, at real not null, kind text not null, step text not null, "
    "text text not null, data text not null) strict",
    f"pragma application_id = {APPLICATION}",
    f"pragma user_version = {FORMAT}",
)


class Journal:
    """One migration's journal. Safe to use from several threads of one process, and read by others meanwhile."""

    def __init__(self, path: Path | None, migration: str, run_id: str | None = None) -> None:
        """Opens or creates the journal at `path`; None keeps it in memory. Raises FerryError when it is another's."""
        self.path = path
        self._lock = threading.RLock()
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(str(path) if path else ":memory:", check_same_thread=False, timeout=10)
            self._db.execute("pragma journal_mode=delete")
            self._db.execute("pragma synchronous=extra")
            self._recognise()
            self._places = {path: _place(path)} if path else {}
        except (sqlite3.Error, OSError) as error:
            raise FerryError(
                f"the journal {path} cannot be opened: {error}; free the place or name another one under `journal`"
            ) from error
        self._claim(migration)
        self.run_id = self._meta("run_id", run_id or secrets.token_hex(3))

    def _recognise(self) -> None:
        """Makes a new journal of an empty file; any other file has to be one already. Raises FerryError."""
        with self._transaction():
            application, version, tables = (
                self._db.execute(query).fetchone()[0]
                for query in ("pragma application_id", "pragma user_version", "select count(*) from sqlite_master")
            )
            if application != APPLICATION and (application or version or tables):
                raise FerryError(
                    f"{self.path} is no journal of hbase-ferry: it is left as it is; name another file under `journal`"
                )
            if version > FORMAT:
                raise FerryError(
                    f"{self.path} was written by a newer hbase-ferry (format {version}, this one knows {FORMAT}): "
                    f"go on with that one"
                )
            for statement in () if tables else _SCHEMA:
                self._db.execute(statement)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Two processes that open a new journal at once make it once."""
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def _in_place(self) -> None:
        """Raises FerryError where an open file is no longer the one at its path: SQLite would go on writing to a
        journal that nobody will ever read, and a second process would take a new lock."""
        for path, opened in self._places.items():
            try:
                if _place(path) == opened:
                    continue
                what = "was replaced"
            except OSError as error:
                what = f"went away ({error.strerror})"
            raise FerryError(f"the journal {path} {what} while it was in use: nothing is sent without it; start again")

    @contextlib.contextmanager
    def _read(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except (sqlite3.Error, ValueError) as error:
                raise FerryError(f"the journal {self.path} cannot be read: {error}") from error

    def _claim(self, migration: str) -> None:
        found = self._meta("migration", migration)
        if found != migration:
            raise FerryError(
                f"the journal {self.path} belongs to migration {found}, not to {migration}: "
                f"name another one under `journal`"
            )

    def _meta(self, key: str, default: str) -> str:
        with self._read(), self._db:
            self._db.execute("insert or ignore into meta values (?, ?)", (key, default))
            row = self._db.execute("select value from meta where key = ?", (key,)).fetchone()
        return str(row[0])

    def get(self, key: str) -> str | None:
        """A fact of the header, such as a pinned cluster id."""
        with self._read():
            row = self._db.execute("select value from meta where key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def pin(self, key: str, value: str) -> str:
        """Stores a fact of the header once; returns what is stored."""
        return self._meta(key, value)

    def append(self, at: float, kind: EventKind, step: str, text: str, data: Mapping[str, Json] | None = None) -> Event:
        """Writes one event and returns it once it is on the disk. Raises FerryError when it cannot be written."""
        body = dict(data or {})
        self._in_place()
        try:
            with self._lock, self._db:
                cursor = self._db.execute(
                    "insert into events (at, kind, step, text, data) values (?, ?, ?, ?, ?)",
                    (at, kind.value, step, text, json.dumps(body, sort_keys=True)),
                )
        except sqlite3.Error as error:
            raise FerryError(
                f"the journal {self.path} cannot be written ({error}): nothing is sent without it"
            ) from error
        return Event(int(cursor.lastrowid or 0), at, kind, step, text, body)

    def events(self, after: int = 0, kinds: tuple[EventKind, ...] = ()) -> tuple[Event, ...]:
        """Events with a number above `after`, in order; of these kinds only, where given."""
        marks = ",".join("?" * len(kinds))
        where = f" and kind in ({marks})" if kinds else ""
        with self._read():
            rows = self._db.execute(
                f"select number, at, kind, step, text, data from events where number > ?{where} order by number",
                (after, *(kind.value for kind in kinds)),
            ).fetchall()
            return tuple(map(_event, rows))

    @contextlib.contextmanager
    def acting(self) -> Iterator[None]:
        """Holds the right to act, one process at a time. Raises Refused while another one has it."""
        if self.path is None:
            yield
            return
        lock = self.path.with_suffix(self.path.suffix + ".lock")
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise FerryError(
                f"the journal {self.path} cannot be locked ({error.strerror}): nothing is sent without it"
            ) from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                owner = os.read(handle, 200).decode(errors="replace").strip()
                raise Refused(
                    f"another hbase-ferry is acting on this migration ({owner or 'owner not known'}): "
                    f"wait for it, or end it"
                ) from None
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"pid {os.getpid()}".encode(), 0)
            self._places[lock] = _place(handle)
            yield
        finally:
            self._places.pop(lock, None)
            os.close(handle)

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _place(file: Path | int) -> tuple[int, int]:
    """Which file it is: device and inode. Raises OSError."""
    state = os.stat(file)
    return (state.st_dev, state.st_ino)


def _event(row: tuple[Any, ...]) -> Event:
    number, at, kind, step, text, data = row
    try:
        return Event(number, at, EventKind(kind), step, text, json.loads(data))
    except ValueError as error:
        raise ValueError(f"event {number}: {error}") from error
