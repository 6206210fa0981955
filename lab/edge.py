"""The edge node of one lab cluster: the commands an operator finds there, and a private sshd in front of them.

The sshd runs as the current user on a free loopback port with its own host key, accepts one key made for this lab,
and reads nothing of the machine's own SSH set-up. Called by `cluster`.
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.places import LabError, write_whole
from lab.process import RECORD_AND_EXEC

_SHELL_MISSING = "the lab has no hbase shell: hbase-shell is not among the jars of this line; use the class names"


@dataclass(frozen=True)
class Ssh:
    """How a client reaches an edge node. Paths are absolute; `known_hosts` holds the node's only key."""

    host: str
    port: int
    user: str
    key_file: str
    known_hosts: str


@dataclass(frozen=True)
class Commands:
    """What the wrappers of one cluster start: configuration, class path, JVM options, and where they record it."""

    conf: Path
    class_path: str
    jvm_options: tuple[str, ...]
    records: Path
    heap: str = "-Xmx384m"
    agent_heap: str = "-Xmx256m"
    ruby: tuple[str, ...] = ()
    "options in front of the agent's file"

    def write(self, folder: Path) -> None:
        """Write `hbase`, `hdfs`, `yarn` and `hadoop` into `folder`."""
        for tool, cases in _CASES.items():
            write_whole(folder / tool, self._script(cases), 0o755)

    def _script(self, cases: str) -> str:
        return f"""#!/bin/sh
conf={_quote(self.conf)} classpath={_quote(self.class_path)} heap={self.heap}
export HBASE_CONF_DIR="$conf" HADOOP_CONF_DIR="$conf"
case "${{1-}}" in
  org.jruby.Main) heap={self.agent_heap}; shift; set -- org.jruby.Main {" ".join(self.ruby)} "$@" ;;
{cases}esac
exec /bin/sh -c {_quote(RECORD_AND_EXEC)} lab {_quote(self.records)}/tool-$$ \\
  java {" ".join(_quote(option) for option in self.jvm_options)} $heap ${{HBASE_OPTS-}} -cp "$classpath" "$@"
"""


_CASES = {
    "hbase": f"""\
  classpath) echo "$classpath"; exit 0 ;;
  version) set -- org.apache.hadoop.hbase.util.VersionInfo ;;
  shell) echo "{_SHELL_MISSING}" >&2; exit 1 ;;
  "") echo "usage: hbase CLASS [arguments]" >&2; exit 1 ;;
""",
    "hdfs": """\
  dfs) shift; set -- org.apache.hadoop.fs.FsShell "$@" ;;
  dfsadmin) shift; set -- org.apache.hadoop.hdfs.tools.DFSAdmin "$@" ;;
  *) echo "usage: hdfs dfs|dfsadmin [arguments]" >&2; exit 1 ;;
""",
    "yarn": """\
  application) set -- org.apache.hadoop.yarn.client.cli.ApplicationCLI "$@" ;;
  *) echo "usage: yarn application [arguments]" >&2; exit 1 ;;
""",
    "hadoop": """\
  fs) shift; set -- org.apache.hadoop.fs.FsShell "$@" ;;
  distcp) shift; set -- org.apache.hadoop.tools.DistCp "$@" ;;
  jar) shift; set -- org.apache.hadoop.util.RunJar "$@" ;;
  version) set -- org.apache.hadoop.util.VersionInfo ;;
  *) echo "usage: hadoop fs|distcp|jar|version [arguments]" >&2; exit 1 ;;
""",
}


def sshd_path() -> str | None:
    """The machine's sshd, by absolute path as it insists on. None: openssh-server is not installed."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/sbin")


def configure_sshd(folder: Path, port: int) -> Ssh:
    """Make keys, configuration and known_hosts in `folder`; returns how to come in."""
    folder.mkdir(parents=True, exist_ok=True)
    for key in ("host_key", "client_key"):
        _keygen(folder / key)
    host_key = (folder / "host_key.pub").read_text().split()[:2]
    write_whole(folder / "known_hosts", f"[127.0.0.1]:{port} {' '.join(host_key)}\n")
    write_whole(folder / "authorized_keys", (folder / "client_key.pub").read_text(), 0o600)
    write_whole(folder / "sshd_config", _sshd_config(folder, port))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    return ssh_of(folder, port)


def ssh_of(folder: Path, port: int) -> Ssh:
    return Ssh("127.0.0.1", port, getpass.getuser(), str(folder / "client_key"), str(folder / "known_hosts"))


def _sshd_config(folder: Path, port: int) -> str:
    return f"""\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/sshd.pid
AllowUsers {getpass.getuser()}
AuthenticationMethods publickey
PermitRootLogin prohibit-password
UsePAM no
StrictModes no
UseDNS no
X11Forwarding no
PrintMotd no
MaxSessions 50
MaxStartups 100
Subsystem sftp internal-sftp
"""


def _keygen(key: Path) -> None:
    for old in (key, key.with_suffix(".pub")):
        old.unlink(missing_ok=True)
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "hbase-ferry lab", "-f", str(key)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"ssh-keygen could not make {key}: {done.stderr.strip()}")


def _quote(value: object) -> str:
    return "'" + str(value).replace("'", "'\\''") + "'"
