"""The YAML of a migration across a lab, for tests. Called through `Lab.config_yaml` and `BigtableLab.config_yaml`.

The committed `sample_configs/lab.yaml` and `lab-bigtable.yaml` say the same with fixed relative paths, because a
cluster tells its own rootdir and cluster key; here everything is written out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lab.cluster import Cluster

if TYPE_CHECKING:
    from lab.bigtable import BigtableLab
    from lab.crossing import Lab

_LOCAL_JOBS = {"snapshot.export.buffer.size": "1048576"}
_PACE: dict[str, object] = {
    "poll_seconds": 1.0,
    "gates": {"still_seconds": 4.0, "canary_timeout_seconds": 60.0, "min_free_fraction": 0.02},
}


def config_yaml(
    lab: Lab,
    *,
    transport: str = "local",
    tables: Sequence[str | Mapping[str, object]] = ("lab:orders",),
    name: str = "rehearsal",
    peer_id: str = "",
    journal: Path | str = "",
    work_dir: str = "",
    **more: object,
) -> str:
    """Settings from `lab.source` to `lab.target`.

    transport: local | ssh. tables: names, or mappings with `name` and `families`. work_dir: folder below each edge
    node's own; empty: that folder. `more`: further top-level keys (gates, export, verify, poll_seconds ...).
    Raises ValueError for ssh without an sshd.
    """
    values: dict[str, Any] = {
        "name": name,
        "source": _side(lab.source, transport, work_dir),
        "target": _side(lab.target, transport, work_dir),
        "tables": [dict(table) if isinstance(table, Mapping) else {"name": table} for table in tables],
        "peer_id": peer_id or name.replace("-", "_"),
        "export": {"mappers": 2, "options": dict(_LOCAL_JOBS)},
        **_PACE,
    }
    return _dump(values, journal, more)


def bigtable_yaml(
    lab: BigtableLab,
    *,
    transport: str = "local",
    tables: Sequence[str | Mapping[str, object]] = ("lab_orders",),
    name: str = "rehearsal",
    peer_id: str = "",
    journal: Path | str = "",
    work_dir: str = "",
    bigtable: Mapping[str, object] | None = None,
    **more: object,
) -> str:
    """Settings from `lab.source` to the emulator; `bigtable`: further keys of `target.bigtable`. As `config_yaml`."""
    instance = {"project": lab.project, "instance": lab.instance, "app_profile": lab.app_profile}
    values: dict[str, Any] = {
        "name": name,
        "source": _side(lab.source, transport, work_dir),
        "target": {
            "name": "lab-bigtable",
            "bigtable": {**instance, "emulator": lab.emulator.address, **(bigtable or {})},
        },
        "tables": [dict(table) if isinstance(table, Mapping) else {"name": table} for table in tables],
        "peer_id": peer_id or name.replace("-", "_"),
        **_PACE,
    }
    return _dump(values, journal, more)


def _dump(values: dict[str, Any], journal: Path | str, more: Mapping[str, object]) -> str:
    if journal:
        values["journal"] = str(journal)
    for key, value in more.items():
        values[key] = {**values[key], **value} if key in values and isinstance(value, dict) else value
    return yaml.safe_dump(values, sort_keys=False)


def _side(cluster: Cluster, transport: str, work_dir: str) -> dict[str, Any]:
    side: dict[str, Any] = {
        "name": f"lab-{cluster.name}",
        "transport": transport,
        "hbase": [cluster.hbase],
        "work_dir": str(cluster.work_dir / work_dir),
        "rootdir": cluster.rootdir,
        "cluster_key": cluster.cluster_key,
        "thrift": cluster.thrift,
    }
    if transport == "ssh":
        if cluster.ssh is None:
            raise ValueError("the lab has no sshd: openssh-server is not installed")
        side["ssh"] = asdict(cluster.ssh)
    return side
