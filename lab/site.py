"""The configuration files of a lab cluster. Pure: ports and folders in, XML out.

The quick values come from measured runs: they change how long things take, not what happens. Called by `cluster`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

CLUSTER_PORTS = ("namenode", "namenode_http", "datanode", "datanode_http", "datanode_ipc", "zookeeper", "master",
                 "server1", "server2", "thrift", "sshd", "nothing")  # fmt: skip
"`nothing`: a port where nobody listens, for services the lab does not have (YARN)"


def xml(settings: Mapping[str, object]) -> str:
    """A Hadoop configuration file."""
    body = "".join(
        f"  <property><name>{escape(k)}</name><value>{escape(str(v))}</value></property>\n"
        for k, v in settings.items()
    )
    return f'<?xml version="1.0"?>\n<configuration>\n{body}</configuration>\n'


def files(
    name: str,
    ports: Mapping[str, int],
    data: Path,
    servers: int,
    more: Mapping[str, Mapping[str, object]] | None = None,
) -> dict[str, str]:
    """File name -> content of one cluster's configuration folder. `more`: properties that are added or replaced."""
    nothing = f"127.0.0.1:{ports['nothing']}"
    plain: dict[str, dict[str, object]] = {
        "core-site.xml": _core(ports, data),
        "hdfs-site.xml": _hdfs(ports, data),
        "hbase-site.xml": _hbase(name, ports, servers),
        "mapred-site.xml": _mapred(data),
        "yarn-site.xml": {"yarn.resourcemanager.address": nothing, "yarn.resourcemanager.connect.max-wait.ms": 2000},
    }
    return {file: xml({**settings, **(more or {}).get(file, {})}) for file, settings in plain.items()}


def _core(ports: Mapping[str, int], data: Path) -> dict[str, object]:
    return {
        "fs.defaultFS": f"hdfs://localhost:{ports['namenode']}",
        "hadoop.tmp.dir": data / "tmp",
        "lab.dir": data,
        "io.file.buffer.size": 65536,
        "hadoop.caller.context.enabled": "false",
    }


def _hdfs(ports: Mapping[str, int], data: Path) -> dict[str, object]:
    return {
        "dfs.replication": 1,
        "dfs.namenode.rpc-address": f"localhost:{ports['namenode']}",
        "dfs.namenode.http-address": f"127.0.0.1:{ports['namenode_http']}",
        "dfs.datanode.address": f"127.0.0.1:{ports['datanode']}",
        "dfs.datanode.http.address": f"127.0.0.1:{ports['datanode_http']}",
        "dfs.datanode.ipc.address": f"127.0.0.1:{ports['datanode_ipc']}",
        "dfs.namenode.name.dir": f"file://{data}/nn",
        "dfs.datanode.data.dir": f"file://{data}/dn",
        "dfs.namenode.safemode.extension": 0,
        "dfs.namenode.edits.noeditlogchannelflush": "true",
        "dfs.heartbeat.interval": 1,
        "dfs.datanode.hostname": "localhost",
        "dfs.namenode.datanode.registration.ip-hostname-check": "false",
    }


def znode(name: str) -> str:
    """The znode of a cluster of that name: no client finds one cluster of a pair by the other's."""
    return f"/hbase-{name}"


def _hbase(name: str, ports: Mapping[str, int], servers: int) -> dict[str, object]:
    return {
        "hbase.rootdir": f"hdfs://localhost:{ports['namenode']}/hbase",
        "hbase.cluster.distributed": "true",
        "hbase.zookeeper.quorum": "localhost",
        "hbase.zookeeper.property.clientPort": ports["zookeeper"],
        "zookeeper.znode.parent": znode(name),
        # above any time a test freezes a cluster for: an expired session makes the thawed server abort itself
        "zookeeper.session.timeout": 600_000,
        "hbase.master.port": ports["master"],
        "hbase.regionserver.port": ports["server1"],
        "hbase.master.info.port": -1,
        "hbase.regionserver.info.port": -1,
        "hbase.master.ipc.address": "127.0.0.1",
        "hbase.regionserver.ipc.address": "127.0.0.1",
        "hbase.master.hostname": "localhost",
        "hbase.regionserver.hostname": "localhost",
        "hbase.localcluster.assign.random.ports": "false",
        "hbase.master.start.timeout.localHBaseCluster": 180_000,
        "hbase.regionserver.handler.count": 10,
        "hbase.master.wait.on.regionservers.mintostart": servers,
        "hbase.master.wait.on.regionservers.timeout": 1000,
        "hbase.master.wait.on.regionservers.interval": 200,
        "hbase.regionserver.msginterval": 1000,
        "hbase.master.cleaner.interval": 5000,
        "hbase.master.logcleaner.ttl": 5000,
        "hbase.procedure.remote.dispatcher.delay.msec": 20,
        # how long a restart waits before it looks again whether a dead server's WAL is closed; default 4000
        "hbase.lease.recovery.first.pause": 500,
        "hbase.regionserver.hlog.blocksize": 16 * 1024 * 1024,
        # the default of 300 lets an idle reader sleep for minutes (HBASE-27632)
        "replication.source.maxretriesmultiplier": 5,
        "hbase.regionserver.thrift.port": ports["thrift"],
        "hbase.thrift.info.port": -1,
        "lab.regionservers": servers,
    }


def _mapred(data: Path) -> dict[str, object]:
    return {
        "mapreduce.framework.name": "local",
        "mapreduce.local.map.tasks.maximum": 2,
        "mapreduce.cluster.local.dir": data / "mr",
        # defaults of 100 MB sort buffer and of one HDFS block of export buffer per map do not fit small heaps
        "mapreduce.task.io.sort.mb": 16,
        "snapshot.export.buffer.size": 1024 * 1024,
    }
