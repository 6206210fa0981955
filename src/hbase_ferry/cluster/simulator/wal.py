"""Write-ahead logs: every write of a region server in order, packed into two integer arrays.

An entry is a time (epoch ms) and a code: row, operation, families, the scopes stamped when it was written, table.
Bystander tables write aggregated entries (`BULK`), so an hour of backlog stays small. A closed log stays in WALs/
until the next roll, then lies in oldWALs/ until no replication queue holds it and the log cleaner has run.
"""

from __future__ import annotations

from array import array

PUT, DELETE, BULK = 0, 1, 2

BLOCK = 256 * 1024 * 1024
"""HDFS block of a WAL: an open one has length 0 and a whole block for each replica."""


def pack(row: int, op: int, families: int, scopes: int, table: int) -> int:
    """One entry's code. `families` and `scopes` are bit masks of at most four families."""
    return row | op << 35 | families << 37 | scopes << 41 | table << 45


ROW_MASK = (1 << 35) - 1


class Wal:
    """One log file of one region server."""

    __slots__ = ("bytes", "closed_ms", "codes", "held", "name", "opened_ms", "times")

    def __init__(self, name: str, opened_ms: int) -> None:
        self.name = name
        self.opened_ms = opened_ms
        self.closed_ms: int | None = None
        self.times = array("q")
        self.codes = array("q")
        self.bytes = 0
        self.held = 0
        "replication queues that hold it"

    def append(self, ts: int, code: int, size: int) -> None:
        self.times.append(ts)
        self.codes.append(code)
        self.bytes += size

    def release(self) -> None:
        """One queue less; the entries of a closed log that nobody will read any more are forgotten."""
        self.held -= 1
        if self.held <= 0 and self.closed_ms is not None:
            self.times, self.codes = array("q"), array("q")
