"""The YAML of a migration across the lab, for tests. Called through `Lab.config_yaml`.

The committed `sample_configs/lab.yaml` says the same with fixed relative paths, because a cluster tells its own
rootdir and cluster key; here everything is written out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lab.cluster import Cluster

if TYPE_CHECKING:
    from lab.crossing import Lab

_LOCAL_JOBS = {"snapshot.export.buffer.size": "1048576"}


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
        "poll_seconds": 1.0,
        "gates": {"still_seconds": 4.0, "canary_timeout_seconds": 60.0, "min_free_fraction": 0.02},
    }
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
