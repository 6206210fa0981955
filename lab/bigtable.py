"""The lab of HBase and Bigtable: a source cluster with Google's replication endpoint, and an emulator as the target.

The source is the cluster of every lab, and its class path also holds the endpoint and Google's HBase client; its
servers show /jmx and /conf. Invariant: what the servers run with is what `configure` wrote before they started.
Called by the command line (`python -m lab up --bigtable`) and by the fixture `bigtable_lab`.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab import jars, ports, site
from lab.cells import Compared, Difference, compare_cells
from lab.cluster import Cluster, Extras
from lab.crossing import hbase_jars
from lab.emulator import INSTANCE, PROJECT, Emulator, binary
from lab.life import Rehearsal
from lab.places import HERE, LabError, Unavailable
from lab.settings_yaml import bigtable_yaml
from lab.workload import Workload

__all__ = ["ENDPOINT", "BigtableLab", "Compared", "Difference", "compare_cells"]

ENDPOINT = "com.google.cloud.bigtable.hbase2_x.replication.HbaseToCloudBigtableReplicationEndpoint"
APP_PROFILE = "migration-single"
JAR_VARIABLE = "HBASE_FERRY_BIGTABLE_JAR"
SAMPLE_PORT = 11_086
"where `make lab-bigtable` puts the emulator, as sample_configs/lab-bigtable.yaml says; below the lab's other ports"
VERSIONS = 3
"that the tables of this lab's workloads keep"
KEYS = ("core-site", "hbase-site", "none")

_INFO_PORTS = ("master_info", "server1_info", "server2_info")
_REPLICATION_BEAN = "Hadoop:service=HBase,name=RegionServer,sub=Replication"


class BigtableLab(Rehearsal):
    """One real cluster and one Bigtable emulator. Build it with `up` or `attach`.

    Choices of `up`: keys (where the google.bigtable.* keys stand: core-site | hbase-site | none), settings (further
    ones for hbase-site.xml), emulator_port (where that is free; 0: anywhere).
    """

    PLACE = "bigtable"
    FILES = ("lab-bigtable.yaml",)
    FOLDERS = ("source", "emulator", "workload")

    project = PROJECT
    instance = INSTANCE
    app_profile = APP_PROFILE

    def __init__(self, root: Path, state: dict[str, Any]) -> None:
        super().__init__(root, state)
        records = self.registry.folder
        chosen = state["ports"]
        self.emulator = Emulator(root / "emulator", chosen["emulator"], Path(state["emulator"]), records)
        shared = (Path(state["jars"]), Path(state["helpers"]), records)
        self.source = Cluster("source", root / "source", chosen, *shared, servers=2, extras=self._extras())

    @property
    def members(self) -> tuple[Emulator, Cluster]:
        return (self.emulator, self.source)

    @classmethod
    def _plan(cls, say: Callable[[str], None], **choices: Any) -> dict[str, Any]:
        keys, settings, port = (choices.get(name) for name in ("keys", "settings", "emulator_port"))
        if port and not ports.is_free(port):
            say(f"port {port} of 127.0.0.1, where the Bigtable emulator belongs, is taken: it listens at another one")
            port = 0
        endpoint = _endpoint()
        say(f"the replication endpoint is {endpoint}")
        chosen = ports.free_ports((*site.CLUSTER_PORTS, *_INFO_PORTS, "emulator"))
        return {
            **hbase_jars(),
            "endpoint": str(endpoint),
            "client": str(jars.class_path(HERE / "poms" / "bigtable-client.xml")),
            "emulator": str(binary()),
            "ports": chosen | ({"emulator": port} if port else {}),
            "keys": _known(keys or KEYS[0]),
            "library": True,
            "settings": dict(settings or {}),
        }

    # ---- what the servers run with

    def configure(
        self, *, keys: str | None = None, library: bool | None = None, settings: dict[str, object] | None = None
    ) -> None:
        """Write other choices; what is None stays. A server runs with them once it was killed and restarted.

        library: whether endpoint and client are on the class path. `lab.source.kill("server2")` and
        `lab.source.restart()` bring them to one server only. Raises LabError for keys that are no choice.
        """
        changes = {"keys": keys and _known(keys), "library": library, "settings": settings}
        self._state |= {name: value for name, value in changes.items() if value is not None}
        self._mark(ready=True)
        self.source.extras = self._extras()
        self.source.configure()

    def google_keys(self) -> dict[str, object]:
        """The keys of Google's client, as a site's operator would write them."""
        return {
            "google.bigtable.project.id": PROJECT,
            "google.bigtable.instance.id": INSTANCE,
            "google.bigtable.app_profile.id": APP_PROFILE,
            "google.bigtable.emulator.endpoint.host": self.emulator.address,
            "google.bigtable.mutate.rpc.timeout.ms": 10_000,
            "google.bigtable.mutate.rpc.attempt.timeout.ms": 5_000,
        }

    def _extras(self) -> Extras:
        settings = {"hbase-site.xml": {**_hbase_settings(self._state["ports"]), **self._state["settings"]}}
        if self._state["keys"] != "none":
            file = f"{self._state['keys']}.xml"
            settings[file] = {**settings.get(file, {}), **self.google_keys()}
        library = (Path(self._state["endpoint"]), Path(self._state["client"]) / "*")
        return Extras(
            class_path=library if self._state["library"] else (),
            settings=settings,
            files={
                "hadoop-metrics2-hbase.properties": "*.period=1\n",
                "log4j2-capped.properties": (HERE / "etc" / "log4j2-capped.properties").read_text(),
            },
            webapps=tuple(f"hbase-webapps/{name}" for name in ("master", "regionserver", "static")),
            options=(
                "-Dlog4j2.configurationFile={root}/conf/log4j2-capped.properties",
                "-Dlab.log={root}/logs/{name}.log",
            ),
            heaps=("-Xmx768m", "-Xmx512m"),
        )

    # ---- what tests ask

    def workload(self, name: str = "orders", *, table: str = "", seed: int = 7) -> Workload:
        """A workload with a ledger of its own and several versions; `table` defaults to `lab_<name>`."""
        folder = self.root / "workload" / name
        return Workload(self.source, folder, table or f"lab_{name}", seed, VERSIONS)

    def config_yaml(self, **choices: Any) -> str:
        """The YAML of one migration into this lab's Bigtable; see `lab.settings_yaml.bigtable_yaml`."""
        return bigtable_yaml(self, **choices)

    def page(self, server: str = "server1") -> str:
        """URL of a server's pages, /jmx and /conf below it. server: master, server1, server2."""
        return f"http://127.0.0.1:{self.source.ports[f'{server}_info']}"

    def replication_bean(self, server: str = "server1") -> dict[str, Any]:
        """A region server's replication metrics as /jmx serves them, the library's counters among them."""
        with urllib.request.urlopen(f"{self.page(server)}/jmx?qry={_REPLICATION_BEAN}", timeout=20) as answer:
            beans: list[dict[str, Any]] = json.load(answer)["beans"]
        return beans[0] if beans else {}

    def log(self, server: str = "server1") -> str:
        """The newest part of a region server's log, 16 MB at most."""
        name = "cluster" if server == "server1" else server
        return (self.source.root / "logs" / f"{name}.log").read_text(errors="replace")

    def add_peer(self, peer: str, *tables: str, config: Mapping[str, str] | None = None) -> None:
        """Add a DISABLED peer with Google's endpoint for whole tables, past the product. config: its CONFIG."""
        pairs = [f"{key}={value}" for key, value in (config or {}).items()]
        self._admin("add", peer, ENDPOINT, self.source.cluster_key, ",".join(tables), *pairs)

    def set_peer(self, peer: str, change: str) -> None:
        """change: enable | disable | remove. A removal can take as long as HBase lets it."""
        self._admin(change, peer)

    def set_scope(self, *tables: str, scope: int = 1) -> None:
        """Replicate (1) or do not replicate (0) every family of these tables, what is written from here on."""
        self._admin("scope", str(scope), *tables)

    def _admin(self, *arguments: str) -> None:
        java, *rest = self.source.java("-Xmx128m", "Peer", *arguments)
        argv = [java, "-Dlab.root.logger=ERROR", *rest]
        name = f"peer-{secrets.token_hex(4)}"
        recorded = self.registry.recorded(name, argv)
        done = subprocess.run(recorded, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        (self.registry.folder / name).unlink(missing_ok=True)
        if done.returncode:
            raise LabError(f"{' '.join(arguments)} failed:\n{done.stderr[-2000:]}")


def _known(keys: str) -> str:
    if keys not in KEYS:
        raise LabError(f"keys must be one of {', '.join(KEYS)}, not {keys}")
    return keys


def _endpoint() -> Path:
    """Google's published jar where the registry has it, else the one of HBASE_FERRY_BIGTABLE_JAR."""
    try:
        library = jars.class_path(HERE / "poms" / "bigtable-replication.xml")
        return next(library.glob("*.jar"))
    except Unavailable as error:
        named = os.environ.get(JAR_VARIABLE)
        if not named:
            raise Unavailable(f"{error}\nname a jar with Google's replication endpoint in {JAR_VARIABLE}") from error
    jar = Path(named).resolve()
    if not jar.is_file():
        raise Unavailable(f"{JAR_VARIABLE} names {jar}, which is no file")
    return jar


def _hbase_settings(chosen: Mapping[str, int]) -> dict[str, object]:
    return {
        # the default: Google's schema translator looks nowhere else
        "zookeeper.znode.parent": "/hbase",
        "hbase.master.info.bindAddress": "127.0.0.1",
        "hbase.master.info.port": chosen["master_info"],
        "hbase.regionserver.info.bindAddress": "127.0.0.1",
        "hbase.regionserver.info.port": chosen["server1_info"],
        # an endpoint that cannot start is tried again after 0.1, 0.2 ... 4 s: 82 s until the region server aborts.
        # An idle reader sleeps 4 s at most
        "replication.source.sleepforretries": 100,
        "replication.source.maxretriesmultiplier": 40,
        "hbase.replication.wait.on.endpoint.seconds": 10,
    }
