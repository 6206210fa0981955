"""One standalone HBase server of another line, for the contract tests of the agent.

Master, region server and ZooKeeper in one JVM over local files, as small and as quick as it goes. The same class path
holds the JRuby of that line, so `hbase org.jruby.Main agent.rb` runs the agent as it would there. Invariant: a
server ends with the process that started it. Called by the fixture `standalone`.
"""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lab import edge, jars, site
from lab.life import sweep
from lab.places import HERE, LabError, remove, session, write_whole
from lab.ports import free_ports
from lab.process import Registry

ALWAYS = ("1.4.14", "2.4.18")
"lines of every test run"
MATRIX = ("2.2.7", "2.5.8", "2.6.4", "3.0.0-alpha-4")
"lines of `make test-matrix`"

_DEAD_TEXT = "Master exiting"
_READY_TEXT = "Master has completed initialization"
_PORTS = ("zookeeper", "master", "server", "master_info", "server_info")
_WEBAPPS = ("master", "regionserver", "static")
"""Folders that HBase's information pages want on the class path; empty ones will do for /conf and /jmx."""
_QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true")
_OPENS = tuple(
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in ("java.lang", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util",
                    "java.util.concurrent", "sun.nio.ch", "sun.net.www.protocol.http")
)  # fmt: skip


class Standalone:
    """A server of one HBase line. Build it with `standalone`."""

    def __init__(self, version: str, root: Path) -> None:
        self.version = version
        self.root = root
        self.ports = free_ports(_PORTS)
        self.registry = Registry(root / "processes" / secrets.token_hex(6))
        # the pages of 2.x die of Hadoop 2's servlet API, which a distribution does not have
        library = jars.class_path(HERE / "poms" / f"hbase-{version}.xml", "" if version[0] == "1" else "servlet-api")
        owned = jars.compiled((HERE / "java" / "Owned.java",), library)
        self._library = f"{library}/*:{owned}"
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def conf_dir(self) -> Path:
        """The clients' configuration."""
        return self.root / "conf"

    @property
    def hbase(self) -> str:
        """Absolute path of the `hbase` command; `hbase org.jruby.Main agent.rb` runs the agent in this line's JRuby."""
        return str(self.root / "bin" / "hbase")

    @property
    def agent(self) -> tuple[str, ...]:
        """What stands in front of agent.rb."""
        return (self.hbase, "org.jruby.Main")

    @property
    def env(self) -> dict[str, str]:
        return {"HBASE_CONF_DIR": str(self.conf_dir)}

    @property
    def work_dir(self) -> Path:
        return self.root / "edge"

    @property
    def cluster_key(self) -> str:
        return f"127.0.0.1:{self.ports['zookeeper']}:/hbase"

    @property
    def pid(self) -> int:
        process = self.registry.get("server")
        if process is None or not process.alive:
            raise LabError(f"the standalone HBase {self.version} is not running")
        return process.pid

    def start(self, seconds: float = 120.0) -> None:
        """Lay the server out, start it and wait until it is initialised. Raises LabError."""
        self._lay_out()
        argv = ["java", "-Xmx192m", *_QUICK, *_OPENS, "-cp", f"{self.root / 'server'}:{self._library}"]
        argv += ["Owned", "org.apache.hadoop.hbase.master.HMaster", "start"]
        self._popen = self.registry.start("server", argv, log=self.root / "logs" / "server", owned=True)
        end = time.monotonic() + seconds
        while _READY_TEXT not in (log := self._log()):
            if _DEAD_TEXT in log or self._popen.poll() is not None or time.monotonic() > end:
                tail = "\n".join(log.splitlines()[-25:])
                raise LabError(f"the standalone HBase {self.version} did not come up in {seconds:.0f} s:\n{tail}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server and everything started through its commands, and delete its data."""
        self.registry.end_all()
        remove(self.root)

    def rss_mb(self) -> int:
        return sum(process.rss_mb() for process in self.registry.living())

    def _log(self) -> str:
        return (self.root / "logs" / "server.err").read_text(errors="replace")

    def _lay_out(self) -> None:
        server = _settings(self.root, self.ports)
        # 3.x clients ask the masters themselves; servers of 2.x take the same key for a number of masters
        clients = server | {"hbase.masters": f"localhost:{self.ports['master']}"}
        for folder, level, settings in (("server", "INFO", server), ("conf", "WARN", clients)):
            write_whole(self.root / folder / "hbase-site.xml", site.xml(settings))
            write_whole(self.root / folder / "log4j.properties", _LOG4J1.replace("LEVEL", level))
            write_whole(self.root / folder / "log4j2.properties", _LOG4J2.replace("LEVEL", level))
        for name in _WEBAPPS:
            (self.root / "server" / "hbase-webapps" / name / "WEB-INF").mkdir(parents=True, exist_ok=True)
        options = (*_QUICK, *_OPENS, "-Xss2m")
        ruby = ("--1.8",) if self.version.startswith("1.") else ()
        class_path = f"{self.conf_dir}:{self._library}"
        edge.Commands(
            self.conf_dir, class_path, options, self.registry.folder, "-Xmx256m", "-Xmx192m", ruby
        ).write(self.root / "bin")
        self.work_dir.mkdir(exist_ok=True)


@contextmanager
def standalone(version: str) -> Iterator[Standalone]:
    """A running server of one line, ended on the way out. Raises LabError; KeyError for a line without a pom."""
    if version not in (*ALWAYS, *MATRIX):
        raise KeyError(version)
    jars.require_tools()
    sweep()
    server = Standalone(version, session() / f"hbase-{version}-{secrets.token_hex(3)}")
    try:
        server.start()
        yield server
    finally:
        server.stop()


_LOG4J1 = """\
log4j.rootLogger=LEVEL,C
log4j.appender.C=org.apache.log4j.ConsoleAppender
log4j.appender.C.Target=System.err
log4j.appender.C.layout=org.apache.log4j.PatternLayout
log4j.appender.C.layout.ConversionPattern=%d{ISO8601} %-5p [%t] %c{2}: %m%n
"""
_LOG4J2 = """\
status = warn
appender.C.type = Console
appender.C.name = C
appender.C.target = SYSTEM_ERR
appender.C.layout.type = PatternLayout
appender.C.layout.pattern = %d{ISO8601} %-5p [%t] %c{2}: %m%n
rootLogger = LEVEL,C
"""


def _settings(root: Path, ports: Mapping[str, int]) -> dict[str, object]:
    return {
        "hbase.rootdir": f"file://{root}/data/hbase",
        "hbase.tmp.dir": root / "tmp",
        "hbase.cluster.distributed": "false",
        "hbase.zookeeper.property.dataDir": root / "data" / "zk",
        "hbase.zookeeper.property.clientPort": ports["zookeeper"],
        "hbase.zookeeper.quorum": "127.0.0.1",
        "hbase.master.port": ports["master"],
        "hbase.regionserver.port": ports["server"],
        "hbase.master.info.port": ports["master_info"],
        "hbase.regionserver.info.port": ports["server_info"],
        "hbase.master.info.bindAddress": "127.0.0.1",
        "hbase.regionserver.info.bindAddress": "127.0.0.1",
        "hbase.master.ipc.address": "127.0.0.1",
        "hbase.regionserver.ipc.address": "127.0.0.1",
        "hbase.master.hostname": "localhost",
        "hbase.regionserver.hostname": "localhost",
        "hbase.unsafe.master.hostname": "localhost",
        "hbase.unsafe.regionserver.hostname": "localhost",
        "hbase.localcluster.assign.random.ports": "false",
        "hbase.unsafe.stream.capability.enforce": "false",
        "hbase.wal.provider": "filesystem",
        # off by default on some 1.x builds
        "hbase.replication": "true",
        "hbase.regionserver.handler.count": 6,
        "hbase.regionserver.metahandler.count": 3,
        "hbase.netty.worker.count": 2,
        "hbase.master.procedure.threads": 4,
        "hbase.master.start.timeout.localHBaseCluster": 120_000,
        "hbase.master.wait.on.regionservers.mintostart": 1,
        "hbase.master.wait.on.regionservers.maxtostart": 1,
        "hbase.master.wait.on.regionservers.timeout": 200,
        "hbase.master.wait.on.regionservers.interval": 50,
        "hbase.procedure.store.wal.use.hsync": "false",
        "hbase.regionserver.msginterval": 1000,
        "hbase.regionserver.hlog.blocksize": 8 * 1024 * 1024,
        "replication.source.sleepforretries": 200,
        "replication.source.maxretriesmultiplier": 5,
        "replication.sleep.before.failover": 2000,
    }
