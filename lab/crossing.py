"""The lab of two clusters: a source and a target side by side, in one folder.

How it starts, is found again and ends stands in `life`. Called by the command line (`python -m lab`) and by the
tests' fixtures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab import jars, ports, site
from lab.cluster import Cluster, Extras
from lab.life import Rehearsal
from lab.places import HERE
from lab.settings_yaml import config_yaml
from lab.workload import Workload

EXCLUDED = "slf4j-reload4j,reload4j"
SOURCES = tuple(sorted((HERE / "java").glob("*.java")))
_INFO_PORTS = ("master_info", "server1_info")


class Lab(Rehearsal):
    """Two real clusters. Build it with `up` or `attach`."""

    PLACE = ""
    FILES = ("lab-ssh.yaml",)
    FOLDERS = ("source", "target", "workload")

    def __init__(self, root: Path, state: dict[str, Any]) -> None:
        super().__init__(root, state)
        shared = (Path(state["jars"]), Path(state["helpers"]), self.registry.folder)
        sides = state["ports"]
        self.source = Cluster("source", root / "source", sides["source"], *shared, 2, _with_pages(sides["source"]))
        self.target = Cluster("target", root / "target", sides["target"], *shared, servers=1)

    @property
    def clusters(self) -> tuple[Cluster, Cluster]:
        return (self.source, self.target)

    @property
    def members(self) -> tuple[Cluster, Cluster]:
        return self.clusters

    @classmethod
    def _plan(cls, say: Callable[[str], None], **choices: Any) -> dict[str, Any]:
        names = tuple(f"{side}.{port}" for side in ("source", "target") for port in site.CLUSTER_PORTS)
        chosen = ports.free_ports((*names, *(f"source.{port}" for port in _INFO_PORTS)))
        sides = {side: _of_side(chosen, side) for side in ("source", "target")}
        return {**hbase_jars(), "ports": sides}

    def workload(self, name: str = "orders", *, table: str = "", seed: int = 7) -> Workload:
        """A workload with a ledger of its own; see `lab.workload`. `table` defaults to `lab:<name>`."""
        return Workload(self.source, self.root / "workload" / name, table or f"lab:{name}", seed)

    def config_yaml(self, **choices: Any) -> str:
        """The YAML of one migration across this lab; see `lab.settings_yaml.config_yaml`."""
        return config_yaml(self, **choices)


def _with_pages(chosen: Mapping[str, int]) -> Extras:
    """Information pages of the master and the first region server; the second one has none."""
    settings = {
        "hbase.master.info.bindAddress": "127.0.0.1",
        "hbase.master.info.port": chosen.get("master_info", -1),
        "hbase.regionserver.info.bindAddress": "127.0.0.1",
        "hbase.regionserver.info.port": chosen.get("server1_info", -1),
    }
    folders = tuple(f"hbase-webapps/{name}" for name in ("master", "regionserver", "static"))
    return Extras(settings={"hbase-site.xml": settings}, webapps=folders)


def hbase_jars() -> dict[str, str]:
    """The class path of the lab's own HBase line and the compiled helpers for it. Raises LabError."""
    library = jars.class_path(HERE / "poms" / "hbase.xml", EXCLUDED)
    return {"jars": str(library), "helpers": str(jars.compiled(SOURCES, library))}


def _of_side(chosen: dict[str, int], side: str) -> dict[str, int]:
    return {name.split(".")[1]: port for name, port in chosen.items() if name.startswith(f"{side}.")}
