"""A simulated Bigtable instance: its tables, cells and what it says of itself. Part of a `World`, under its lock.

Invariant: cells are kept exactly as they were written, by time; garbage collection runs only when `collect` is called,
as the real one runs some time later and the emulator's hardly ever. Nothing here refuses anything: `instance_wire`
does, with the words of the service; the replication endpoint (`endpoint`) and the applications write here too.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from hbase_ferry.cluster.simulator.rows import QUALIFIER
from hbase_ferry.cluster.simulator.tables import SimTable
from hbase_ferry.cluster.simulator.wal import DELETE
from hbase_ferry.model.bigtable.retention import Join, Joined, MaxAge, MaxVersions, Never, Rule
from hbase_ferry.model.cluster import Side

Column = tuple[str, bytes]
"""Family and qualifier."""
Cells = dict[Column, dict[int, bytes]]
"""One row: column -> time in microseconds -> value."""


class InstanceTable:
    """One table. `version` grows with each write, so that readers may keep what they derived."""

    def __init__(self, name: str, families: Mapping[str, Rule]) -> None:
        self.name = name
        self.families: dict[str, Rule] = dict(families)
        self.protected = False
        self.version = 0
        self.rows: dict[bytes, Cells] = {}
        self._keys: list[bytes] = []

    def put(self, key: bytes, family: str, qualifier: bytes, time: int, value: bytes) -> None:
        """Sets one cell; the same time again replaces its value."""
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = {}
            if not self._keys or key > self._keys[-1]:
                self._keys.append(key)
            else:
                insort(self._keys, key)
        row.setdefault((family, qualifier), {})[time] = value
        self.version += 1

    def delete(self, key: bytes, family: str, qualifier: bytes | None = None, until: int | None = None) -> None:
        """Cells of a family, or of one column, up to `until` (None: all). They are gone at once: a put that arrives
        later is visible whatever its time, unlike in HBase."""
        row = self.rows.get(key)
        if row is None:
            return
        for column in [c for c in row if c[0] == family and qualifier in (None, c[1])]:
            kept = {time: value for time, value in row[column].items() if until is not None and time > until}
            self._replace(key, column, kept)
        self.version += 1

    def _replace(self, key: bytes, column: Column, kept: dict[int, bytes]) -> None:
        row = self.rows[key]
        if kept:
            row[column] = kept
            return
        del row[column]
        if not row:
            del self.rows[key]
            del self._keys[bisect_left(self._keys, key)]

    def scan(
        self, start: bytes, stop: bytes, families: Iterable[str], versions: int
    ) -> Iterator[tuple[bytes, list[tuple[str, bytes, int, bytes]]]]:
        """Rows with at least one cell, in key order. Empty `stop`, no families and `versions` 0: no limit."""
        wanted = frozenset(families)
        for index in range(bisect_left(self._keys, start), len(self._keys)):
            key = self._keys[index]
            if stop and key >= stop:
                return
            cells = [
                (family, qualifier, time, value)
                for (family, qualifier), column in self.rows[key].items()
                if not wanted or family in wanted
                for time, value in sorted(column.items(), reverse=True)[: versions or None]
            ]
            if cells:
                yield key, cells

    def collect(self, now_us: int) -> None:
        """Garbage collection: drops what each family's rule drops at that moment."""
        for key in list(self.rows):
            for column, cells in list(self.rows[key].items()):
                rule = self.families.get(column[0], Never())
                times = sorted(cells, reverse=True)
                kept = {t: cells[t] for i, t in enumerate(times) if not _drops(rule, i, now_us - t)}
                self._replace(key, column, kept)
        self.version += 1


def _drops(rule: Rule, newer: int, age_us: int) -> bool:
    """Whether a cell with so many newer ones in its column goes."""
    if isinstance(rule, MaxVersions):
        return newer >= rule.count
    if isinstance(rule, MaxAge):
        return age_us > rule.micros
    if isinstance(rule, Joined):
        verdicts = (_drops(part, newer, age_us) for part in rule.parts)
        return all(verdicts) if rule.by is Join.AND else any(verdicts)
    return False


@dataclass
class SimInstance:
    """One instance. `profiles`: id -> cluster it is bound to, None: routed to any."""

    name: str
    "of the side, for messages"
    path: str
    "projects/P/instances/I"
    user: str = "ferry@prod-bj.iam.gserviceaccount.com"
    tables: dict[str, InstanceTable] = field(default_factory=dict)
    clusters: dict[str, int] = field(default_factory=lambda: {"asia-east1-b": 3})
    "id -> nodes"
    profiles: dict[str, str | None] = field(default_factory=lambda: {"default": "asia-east1-b"})
    hosts: tuple[str, ...] = ("bigtable.googleapis.com", "bigtableadmin.googleapis.com")
    side: Side = Side.TARGET

    def take(self, table: SimTable, row: int, op: int, families: int, ts: int) -> None:
        """A write of an application, or one that the replication endpoint carries over: a cell in each of the families
        at `ts` (epoch ms), or those families of the row gone. What the instance has no table or family for is lost."""
        there = self.tables.get(table.name)
        key = table.keys.key_of(row, table.loaded)
        for index, family in enumerate(table.names):
            if there is None or not families >> index & 1 or family not in there.families:
                continue
            if op == DELETE:
                there.delete(key, family)
            else:
                there.put(key, family, QUALIFIER, ts * 1000, b"%d" % ts)

    def settings(self, routed: Mapping[str, str | None]) -> dict[str, str]:
        """What it says of itself, by the keys of `cluster.bigtable.identity`; without the permissions. `routed`:
        profiles that are bound otherwise than usual."""
        found = {"instance.state": "READY", "instance.type": "PRODUCTION", "clusters": ",".join(sorted(self.clusters))}
        for name, nodes in self.clusters.items():
            found |= {f"cluster.{name}.state": "READY", f"cluster.{name}.nodes": str(nodes)}
            found[f"cluster.{name}.autoscaling"] = "off"
        found["profiles"] = ",".join(sorted(self.profiles))
        for name, bound in {**self.profiles, **routed}.items():
            found[f"profile.{name}.routing"] = f"single:{bound}" if bound is not None else "multi"
            found[f"profile.{name}.transactional"] = "true" if bound is not None else "false"
        return found
