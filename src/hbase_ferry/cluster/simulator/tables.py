"""Tables, regions and store files of a simulated cluster.

A region carries its own scopes: HBase stamps the replication scope into each WAL entry when it is written, and an
alter reaches one region after another. Region write counters start again at 0 when the region opens elsewhere.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hbase_ferry.cluster.simulator.rows import EXTRA, Base, KeyBook, Rows, parent


@dataclass(frozen=True)
class SimFamily:
    """A family's descriptor."""

    name: str
    scope: int = 0
    compression: str = "SNAPPY"
    encoding: str = "FAST_DIFF"
    ttl_seconds: int = 2147483647
    share: float = 1.0
    "of a row's bytes"


@dataclass(frozen=True)
class HFile:
    """A store file: region and family folders, name, bytes. `link`: an HFileLink of a restored table into archive/."""

    region: str
    family: str
    name: str
    bytes: int
    link: bool = False

    @property
    def key(self) -> str:
        return f"{self.region}/{self.family}/{self.name}"


@dataclass
class Region:
    """An open region. `start`: position of its first row; `scopes`: bit mask of the families with scope 1."""

    start: int
    start_key: bytes
    encoded: str
    server: int
    scopes: int = 0
    writes: int = 0
    opened_ms: int = 0


@dataclass(frozen=True)
class Descriptor:
    """What a snapshot's manifest carries of a table and a restore brings along."""

    families: tuple[SimFamily, ...]
    major_compaction: str | None = None

    @property
    def scope_mask(self) -> int:
        return sum(1 << index for index, family in enumerate(self.families) if family.scope)


def digest(*parts: object) -> str:
    """32 hex digits that depend on `parts` alone: encoded region names, file names, ids."""
    return hashlib.md5("/".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()


@dataclass
class SimTable:
    """One table with its content. `loaded`: rows that the key space is cut into regions by; `bulk_rate`: writes a
    second of a bystander, whose rows are not kept."""

    name: str
    number: int
    descriptor: Descriptor
    loaded: int
    row_bytes: int
    "of a loaded row on disk"
    edit_bytes: int
    "of one put in the WAL and in memory"
    rows: Rows
    regions: list[Region]
    keys: KeyBook
    files: list[HFile] = field(default_factory=list)
    enabled: bool = True
    unflushed: int = 0
    flushes: int = 0
    bulk_rate: float = 0.0
    bulk_since_ms: int = 0
    sunk: int = 0
    "writes applied by replication since the last tick's WAL accounting"
    starts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.starts = [region.start for region in self.regions]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(family.name for family in self.descriptor.families)

    @property
    def all_mask(self) -> int:
        return (1 << len(self.descriptor.families)) - 1

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files if not file.link)

    def region_at(self, position: int) -> Region:
        return self.regions[bisect_right(self.starts, position) - 1]

    def region_of(self, row: int) -> Region:
        """The region a row id lies in."""
        loaded = self.loaded
        if row < loaded:
            position = row
        elif row < EXTRA:
            position = parent(row, loaded)
        else:
            position = self.keys.position(row, loaded)
        return self.regions[bisect_right(self.starts, position) - 1]

    def replicated(self, row: int) -> None:
        """Counts a write that came through the replication sink."""
        self.region_of(row).writes += 1
        self.sunk += 1

    def set_scopes(self, scopes: dict[str, int]) -> None:
        """The descriptor's part of an alter; the regions follow one by one as they reopen."""
        families = tuple(replace(f, scope=scopes.get(f.name, f.scope)) for f in self.descriptor.families)
        self.descriptor = replace(self.descriptor, families=families)

    def drop_families(self, gone: Sequence[str]) -> None:
        """Takes whole families away, cells and store files included."""
        kept = tuple(family for family in self.descriptor.families if family.name not in gone)
        self.rows = self.rows.only([family.name for family in kept])
        self.descriptor = replace(self.descriptor, families=kept)
        self.files = [file for file in self.files if file.family not in gone]

    def flush(self) -> None:
        """Writes what is in memory into one new file for each region and family."""
        if not self.unflushed:
            return
        self.flushes += 1
        self.files += _files(self, self.unflushed, f"flush{self.flushes}")
        self.unflushed = 0


def make_table(
    name: str,
    number: int,
    families: Sequence[SimFamily],
    *,
    regions: int,
    rows: int,
    row_bytes: int,
    edit_bytes: int = 0,
    servers: int,
    loaded_ms: int | None,
    keys: KeyBook,
    salt: str,
) -> SimTable:
    """A table split evenly over `regions` and spread over `servers`; `loaded_ms` None: created empty."""
    descriptor = Descriptor(tuple(families))
    base = Base(rows, loaded_ms) if loaded_ms is not None else None
    content = Rows([family.name for family in families], base)
    cut = make_regions(name, rows, regions, servers, descriptor.scope_mask, salt)
    table = SimTable(name, number, descriptor, rows, row_bytes, edit_bytes or row_bytes, content, cut, keys)
    if base is not None:
        table.files = _files(table, rows * row_bytes, "loaded")
    return table


def make_regions(name: str, rows: int, regions: int, servers: int, scopes: int, salt: str) -> list[Region]:
    """Regions with even split keys, dealt out to the servers in turn."""
    cut = []
    for index in range(regions):
        start = index * rows // regions
        key = b"%08d" % start if index else b""
        cut.append(Region(start, key, digest(salt, name, index), index % servers, scopes))
    return cut


def _files(table: SimTable, total: int, tag: str) -> list[HFile]:
    each = total / len(table.regions)
    shares = sum(family.share for family in table.descriptor.families)
    return [
        HFile(region.encoded, family.name, digest(table.name, region.encoded, family.name, tag),
              max(5259, int(each * family.share / shares)))
        for region in table.regions
        for family in table.descriptor.families
    ]
