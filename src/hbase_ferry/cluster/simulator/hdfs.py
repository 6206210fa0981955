"""File systems of the simulated pair: HBase root folders (or staging folders) with snapshots, archive and copies.

An `Area` is any folder that holds `.hbase-snapshot/` and `archive/`: a cluster's rootdir, or a staging path. Its
archive is what ExportSnapshot fills, what restored tables link to, and what the HFile cleaner may empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hbase_ferry.cluster.simulator.rows import Rows
from hbase_ferry.cluster.simulator.tables import Descriptor, HFile
from hbase_ferry.model.event import Json

REPLICAS = 3


@dataclass(frozen=True)
class SimSnapshot:
    """A snapshot's manifest. `rows` is the content of its files and is never changed."""

    name: str
    table: str
    created_ms: int
    descriptor: Descriptor
    rows: Rows
    loaded: int
    row_bytes: int
    edit_bytes: int
    regions: int
    files: tuple[HFile, ...]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


@dataclass
class Archived:
    """A file below archive/: how much of it is there and since when (epoch ms)."""

    bytes: int
    since_ms: int


@dataclass
class Area:
    """A root or staging folder, by full URI without a trailing slash."""

    uri: str
    snapshots: dict[str, SimSnapshot] = field(default_factory=dict)
    tmp: dict[str, SimSnapshot] = field(default_factory=dict)
    archive: dict[str, dict[str, Archived]] = field(default_factory=dict)
    "table -> file key -> what is there"

    def archived(self, table: str) -> dict[str, Archived]:
        return self.archive.setdefault(table, {})

    def holds(self, snapshot: SimSnapshot, live: set[str]) -> tuple[int, int, int]:
        """Bytes shared with the live table, bytes in the archive, files missing."""
        shared = archived = missing = 0
        there = self.archive.get(snapshot.table, {})
        for file in snapshot.files:
            if file.key in live:
                shared += file.bytes
            elif file.key in there and there[file.key].bytes >= file.bytes:
                archived += file.bytes
            else:
                missing += 1
        return shared, archived, missing

    def archive_totals(self, table: str | None = None) -> tuple[int, int]:
        """Bytes and files, of one table or of all."""
        groups = self.archive.values() if table is None else [self.archive.get(table, {})]
        sizes = [found.bytes for group in groups for found in group.values()]
        return sum(sizes), len(sizes)

    def clean(self, now_ms: int, ttl_ms: int, linked: dict[str, set[str]], *, protects_tmp: bool) -> None:
        """One run of the HFile cleaner: drops old files that no snapshot and no link needs.

        `protects_tmp` False: snapshots in progress do not count, and their files go (HBASE-21387, HBASE-23202).
        """
        needed: dict[str, set[str]] = {table: set(keys) for table, keys in linked.items()}
        manifests = [*self.snapshots.values(), *(self.tmp.values() if protects_tmp else ())]
        for manifest in manifests:
            needed.setdefault(manifest.table, set()).update(file.key for file in manifest.files)
        for table, files in self.archive.items():
            keep = needed.get(table, set())
            for key in [k for k, found in files.items() if k not in keep and now_ms - found.since_ms > ttl_ms]:
                del files[key]


def usage(path: str, size: int, files: int, *, exists: bool = True, space: int | None = None) -> dict[str, Json]:
    """The wire's form of a content summary."""
    whole = size * REPLICAS if space is None else space
    return {"path": path, "bytes": size, "space": whole, "files": files, "exists": exists}


def split_uri(path: str, filesystem: str) -> str:
    """`path` as a full URI without trailing or doubled slashes; a bare path lies on `filesystem`."""
    scheme, found, rest = path.partition("://")
    if not found:
        return filesystem + "/" + "/".join(part for part in path.split("/") if part)
    return f"{scheme}://" + "/".join(part for part in rest.split("/") if part)


def table_folder(rest: str) -> str:
    """`ns:table` of `<ns>/<table>`, without the default namespace."""
    namespace, _, name = rest.partition("/")
    return name if namespace == "default" else f"{namespace}:{name}"


def folder_of(table: str) -> str:
    """`<ns>/<table>` of a table name."""
    namespace, _, name = table.rpartition(":")
    return f"{namespace or 'default'}/{name}"
