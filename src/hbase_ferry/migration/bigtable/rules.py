"""What the values of a Bigtable target must be; see `config_rules`. Cloud Bigtable's own limits on ids.

Invariant: as there, every rule speaks in a sentence and none connects. `across` reads raw values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from hbase_ferry.migration import names
from hbase_ferry.migration.bigtable.settings import BackfillEngine, BackfillSettings, CompareEngine
from hbase_ferry.migration.names import quoted
from hbase_ferry.migration.strict_yaml import Path
from hbase_ferry.model.bigtable.names import family_fault, table_fault

_PROJECT = re.compile(r"(?:[a-z0-9.\-]+:)?[a-z][a-z0-9\-]{2,28}[a-z0-9]")
_INSTANCE = re.compile(r"[a-z][a-z0-9\-]{4,31}[a-z0-9]")
_PROFILE = re.compile(r"[_a-zA-Z0-9][-_.a-zA-Z0-9]{0,49}")
_CLASS = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*(?:\.[A-Za-z_$][A-Za-z0-9_$]*)*")
_HERE: Path = ("target", "bigtable")
_OF_A_CLUSTER = ("ssh", "hbase", "agent", "env", "work_dir", "rootdir", "cluster_key", "thrift")
"""Keys of a side that say how an HBase cluster is reached."""
_OF_TWO_CLUSTERS: Mapping[str, tuple[str, ...]] = {
    "export": ("staging_source", "staging_target", "copy_tool"),
    "verify": ("verify_replication", "row_counts", "live_tolerance"),
}
_DATAFLOW = BackfillSettings.runner


def project(value: str) -> str:
    """A project id (cloud.google.com/resource-manager, project identifiers)."""
    if not _PROJECT.fullmatch(value):
        raise ValueError(f"{quoted(value)} is not a project id: 5 to 30 lower-case letters, digits and dashes")
    return value


def instance(value: str) -> str:
    """An instance id (google.bigtable.admin.v2 CreateInstanceRequest: 6 to 33 characters)."""
    if not _INSTANCE.fullmatch(value):
        raise ValueError(f"{quoted(value)} is not an instance id: 6 to 33 lower-case letters, digits and dashes")
    return value


def app_profile(value: str) -> str:
    """An app profile id (google.bigtable.admin.v2 CreateAppProfileRequest)."""
    if not _PROFILE.fullmatch(value):
        raise ValueError(f"{quoted(value)} is not an app profile id: letters, digits, _ . and -, at most 50")
    return value


def java_class(value: str) -> str:
    """The full name of a Java class."""
    if not _CLASS.fullmatch(value):
        raise ValueError(f"{quoted(value)} is not the name of a Java class")
    return value


def qualifier(value: str) -> str:
    """A marker of a bidirectional stream."""
    if not _PROFILE.fullmatch(value):
        raise ValueError(f"{quoted(value)} is not a qualifier: letters, digits, _ . and -, at most 50")
    return value


def edge_path(value: str) -> str:
    """A path on the source's edge node, where it is a word of a command line."""
    if value.startswith("~"):
        raise ValueError(f"{quoted(value)}: no shell expands ~ on the edge node, write the whole path")
    return value


def across(values: Mapping[str, object]) -> Iterator[tuple[Path, str]]:
    """Rules of a Bigtable target that need more than one key."""
    source, target = values.get("source"), values.get("target")
    if isinstance(source, dict) and "bigtable" in source:
        yield ("source", "bigtable"), "is given, and only the target can be a Bigtable instance"
    if not isinstance(target, dict) or "bigtable" not in target:
        return
    own = target["bigtable"]
    if own is None:
        yield _HERE, "has no value: give project and instance, or leave the key out"
    if not isinstance(own, dict):
        return
    yield from _without_meaning(values, target)
    yield from _unlike(own)
    yield from _pipelines(values, own)
    yield from _names(values.get("tables"))


def _without_meaning(values: Mapping[str, object], target: Mapping[str, object]) -> Iterator[tuple[Path, str]]:
    if target.get("transport") == "ssh":
        yield ("target", "transport"), "is ssh, and an instance is reached through Google's API: leave it out"
    for key in (key for key in _OF_A_CLUSTER if key in target):
        yield ("target", key), "has no meaning for a Bigtable instance: leave it out"
    for section, keys in _OF_TWO_CLUSTERS.items():
        given = values.get(section)
        for key in (key for key in keys if isinstance(given, dict) and key in given):
            yield (section, key), "has no meaning with a Bigtable target: leave it out"


def _unlike(own: Mapping[str, object]) -> Iterator[tuple[Path, str]]:
    if own.get("key_file") and own.get("emulator"):
        yield (*_HERE, "key_file"), "is given, and an emulator takes no credentials: leave one of the two out"
    back = _mapping(own, "way_back")
    if "hbase_qualifier" in back and back["hbase_qualifier"] == back.get("cbt_qualifier"):
        yield (*_HERE, "way_back", "cbt_qualifier"), "is the hbase_qualifier too: each stream would filter its own"


def _pipelines(values: Mapping[str, object], own: Mapping[str, object]) -> Iterator[tuple[Path, str]]:
    """What Google's pipelines cannot do without."""
    backfill, compare = _mapping(own, "backfill"), _mapping(own, "compare")
    engine, folder = backfill.get("engine"), backfill.get("export_dir")
    copies = engine in (BackfillEngine.IMPORT, BackfillEngine.IMPORTSNAPSHOT)
    compares = compare.get("engine") == CompareEngine.SYNC_TABLE
    dataflow = backfill.get("runner", _DATAFLOW) == _DATAFLOW
    where: Path = (*_HERE, "backfill", "engine") if copies else (*_HERE, "compare", "engine")
    what = engine if copies else CompareEngine.SYNC_TABLE
    if not copies and not compares:
        return
    if not backfill.get("jar"):
        yield where, f"is {what}, and backfill.jar is missing: bigtable-beam-import-<version>-shaded.jar"
    if dataflow and not backfill.get("region"):
        yield where, f"is {what}, and backfill.region is missing: Dataflow does not start without one"
    if copies and not folder:
        yield where, f"is {what}, and backfill.export_dir is missing: where the history lies between the two jobs"
    if engine == BackfillEngine.IMPORTSNAPSHOT and isinstance(folder, str) and folder and not _in_cloud_storage(folder):
        text = f"{quoted(folder)} is not in Cloud Storage, and importsnapshot reads nowhere else: gs://bucket/folder"
        yield (*_HERE, "backfill", "export_dir"), text
    if compares and dataflow and not _in_cloud_storage(_mapping(values, "verify").get("hash_dir")):
        text = "is sync-table on Dataflow, and verify.hash_dir is no folder that it can read: gs://bucket/folder"
        yield (*_HERE, "compare", "engine"), text


def _in_cloud_storage(folder: object) -> bool:
    return isinstance(folder, str) and folder.startswith("gs://")


def _names(tables: object) -> Iterator[tuple[Path, str]]:
    """Names HBase takes and Bigtable does not; what HBase refuses too is said elsewhere."""
    for index, entry in enumerate(tables if isinstance(tables, list) else ()):
        place: Path = ("tables", index)
        named = isinstance(entry, dict)
        if fault := _fault(entry["name"] if named and "name" in entry else entry, names.table_name, table_fault):
            yield (*place, "name") if named else place, fault
        families = entry.get("families") if named else None
        for family in families if isinstance(families, list) else ():
            if fault := _fault(family, names.family_name, family_fault):
                yield (*place, "families"), fault


def _fault(name: object, hbase: Callable[[str], str], bigtable: Callable[[str], str | None]) -> str | None:
    try:
        return bigtable(hbase(name)) if isinstance(name, str) else None
    except ValueError:
        return None


def _mapping(values: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = values.get(key)
    return found if isinstance(found, dict) else {}
