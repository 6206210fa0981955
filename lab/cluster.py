"""One real HBase cluster of the lab: its folders, its processes, and what a client needs to know about it.

Invariant: ports and folders are fixed when the cluster is laid out, so a killed cluster can be restarted over its own
data. A cluster is one JVM, plus one more for each further region server (see LabCluster.java). Called by `crossing`.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab import edge, site
from lab.places import HERE, LabError, remove, write_whole
from lab.process import Process, Registry

_WEBAPPS = ("hdfs", "datanode", "static")
_EMPTY_WEBAPP = '<web-app xmlns="http://java.sun.com/xml/ns/javaee" version="2.5"></web-app>\n'
_QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


@dataclass(frozen=True)
class Extras:
    """What a cluster has beyond the plain one; by default nothing."""

    class_path: tuple[Path, ...] = ()
    "further jars of servers and clients, behind HBase's own"
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    "name of a *-site.xml -> properties that are added or replaced"
    files: Mapping[str, str] = field(default_factory=dict)
    "further files of the configuration folder"
    webapps: tuple[str, ...] = ()
    "further empty web applications; HBase's pages refuse to start without their folders"
    options: tuple[str, ...] = ()
    "further JVM options of the servers; {name} is the process' name, {root} the cluster's folder"
    heaps: tuple[str, str] = ("-Xmx512m", "-Xmx256m")
    "of the first JVM and of each further region server's"


class Cluster:
    """One cluster. Cheap to build: nothing is touched before `lay_out` or `launch`."""

    def __init__(
        self,
        name: str,
        root: Path,
        ports: Mapping[str, int],
        jars: Path,
        helpers: Path,
        records: Path,
        servers: int,
        extras: Extras | None = None,
    ) -> None:
        self.name = name
        self.root = root
        self.ports = dict(ports)
        self.servers = servers
        self.registry = Registry(records)
        self.owned = False
        "True: the cluster ends with this Python process"
        self.extras = extras or Extras()
        self._plain_path = f"{self.conf_dir}:{root / 'res'}:{jars}/*:{helpers}"
        self._popens: dict[str, subprocess.Popen[bytes]] = {}

    # ---- what clients need

    @property
    def conf_dir(self) -> Path:
        return self.root / "conf"

    @property
    def bin_dir(self) -> Path:
        """Folder of the `hbase`, `hdfs`, `yarn` and `hadoop` commands; they need no environment."""
        return self.root / "bin"

    @property
    def hbase(self) -> str:
        """Absolute path of the `hbase` command."""
        return str(self.bin_dir / "hbase")

    @property
    def env(self) -> dict[str, str]:
        """Environment additions for a local client; the wrappers need none."""
        return {"HBASE_CONF_DIR": str(self.conf_dir)}

    @property
    def rootdir(self) -> str:
        return f"hdfs://localhost:{self.ports['namenode']}/hbase"

    @property
    def cluster_key(self) -> str:
        """quorum:port:znode, as add_peer takes it."""
        znode = self.extras.settings.get("hbase-site.xml", {}).get("zookeeper.znode.parent", site.znode(self.name))
        return f"localhost:{self.ports['zookeeper']}:{znode}"

    @property
    def thrift(self) -> str:
        """host:port of the Thrift1 server (buffered transport, binary protocol)."""
        return f"127.0.0.1:{self.ports['thrift']}"

    @property
    def ssh(self) -> edge.Ssh | None:
        """How to log in to the edge node; None where openssh-server is not installed."""
        running = (self.root / "ssh" / "known_hosts").exists()
        return edge.ssh_of(self.root / "ssh", self.ports["sshd"]) if running else None

    @property
    def work_dir(self) -> Path:
        """A private folder on the edge node, for the agent and its jobs."""
        return self.root / "edge"

    @property
    def pid(self) -> int:
        """Process id of the JVM with ZooKeeper, HDFS, master and first region server. Raises LabError if it is gone."""
        process = self.process("cluster")
        if process is None:
            raise LabError(f"the lab's {self.name} cluster is not running")
        return process.pid

    # ---- life

    def lay_out(self) -> None:
        """Write configuration, commands and keys; the cluster will start empty."""
        remove(self.root)
        data = self.root / "data"
        (data / "dn").mkdir(parents=True)
        (data / "nn").mkdir()
        self.work_dir.mkdir()
        self.configure()
        for webapp in (*(f"webapps/{name}" for name in _WEBAPPS), *self.extras.webapps):
            write_whole(self.root / "res" / webapp / "WEB-INF" / "web.xml", _EMPTY_WEBAPP)
        if edge.sshd_path():
            edge.configure_sshd(self.root / "ssh", self.ports["sshd"])

    def configure(self) -> None:
        """Write the configuration and the commands as `extras` says; a running server keeps what it started with."""
        for name, text in site.files(
            self.name, self.ports, self.root / "data", self.servers, self.extras.settings
        ).items():
            write_whole(self.conf_dir / name, text)
        write_whole(self.conf_dir / "log4j2.properties", (HERE / "etc" / "log4j2.properties").read_text())
        for name, text in self.extras.files.items():
            write_whole(self.conf_dir / name, text)
        edge.Commands(
            self.conf_dir, self._class_path, (f"@{HERE / 'etc' / 'jvm.opts'}", *_QUICK), self.registry.folder
        ).write(self.bin_dir)

    def launch(self) -> None:
        """Start every process that is not running. Returns at once; see `await_ready`."""
        first, further = self.extras.heaps
        self._start("cluster", self._server("cluster", first, "cluster"))
        for number in range(2, self.servers + 1):
            name = f"server{number}"
            info = str(self.ports.get(f"{name}_info", -1))
            self._start(name, self._server(name, further, "server", str(self.ports[name]), info))
        if self.ssh and (sshd := edge.sshd_path()):
            self._start("sshd", [sshd, "-D", "-e", "-f", str(self.root / "ssh" / "sshd_config")])

    def await_ready(self, seconds: float) -> None:
        """Wait until every server answers. Raises LabError with the end of the log."""
        end = time.monotonic() + seconds
        for name in self._jvms():
            while "READY" not in self._log(name, "out"):
                if self.process(name) is None and self._ended(name):
                    raise LabError(f"the lab's {self.name} {name} died at its start:\n{self._tail(name)}")
                if time.monotonic() > end:
                    late = f"the lab's {self.name} {name} was not ready within {seconds:.0f} s"
                    raise LabError(f"{late}:\n{self._tail(name)}")
                time.sleep(0.05)

    def freeze(self) -> None:
        """SIGSTOP every server: connections stay open, nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT after `freeze`."""
        self._signal(signal.SIGCONT)

    def kill(self, name: str = "") -> None:
        """SIGKILL every server and the sshd, or only the process `name` (cluster, server2, sshd)."""
        for each in (name,) if name else (*self._jvms(), "sshd"):
            if process := self.process(each):
                process.end()

    def restart(self, seconds: float = 120.0) -> None:
        """Start again over the same data and ports whatever does not run, and wait until it is ready."""
        self.launch()
        self.await_ready(seconds)

    def process(self, name: str) -> Process | None:
        """A living process of this cluster: cluster, server2, sshd."""
        found = self.registry.get(f"{self.name}-{name}")
        return found if found is not None and found.alive else None

    @property
    def running(self) -> bool:
        """Whether every server of this cluster lives."""
        return all(self.process(name) for name in self._jvms())

    def rss_mb(self) -> dict[str, int]:
        """Resident memory by process name."""
        processes = {name: self.process(name) for name in self._jvms()}
        return {name: process.rss_mb() for name, process in processes.items() if process}

    def java(self, heap: str, *main_and_arguments: str) -> list[str]:
        """Command line of a program on this cluster's class path."""
        return ["java", f"@{HERE / 'etc' / 'jvm.opts'}", *_QUICK, heap, "-cp", self._class_path, *main_and_arguments]

    @property
    def _class_path(self) -> str:
        return ":".join((self._plain_path, *map(str, self.extras.class_path)))

    def _server(self, name: str, heap: str, *role: str) -> list[str]:
        java, *arguments = self.java(heap, *(("Owned",) if self.owned else ()), "LabCluster", *role)
        return [java, *(option.format(name=name, root=self.root) for option in self.extras.options), *arguments]

    def _jvms(self) -> tuple[str, ...]:
        return ("cluster", *(f"server{number}" for number in range(2, self.servers + 1)))

    def _start(self, name: str, argv: list[str]) -> None:
        if self.process(name) is None:
            log = self.root / "logs" / name
            self._popens[name] = self.registry.start(f"{self.name}-{name}", argv, log=log, owned=self.owned)

    def _ended(self, name: str) -> bool:
        popen = self._popens.get(name)
        return popen is None or popen.poll() is not None

    def _signal(self, number: int) -> None:
        for name in self._jvms():
            if process := self.process(name):
                process.signal(number)

    def _log(self, name: str, stream: str) -> str:
        try:
            return (self.root / "logs" / f"{name}.{stream}").read_text(errors="replace")
        except OSError:
            return ""

    def _tail(self, name: str) -> str:
        text = "".join(self._log(name, stream) for stream in ("out", "err", "log"))
        return "\n".join(text.splitlines()[-25:])
