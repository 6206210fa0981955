"""A private OpenSSH server on loopback with keys of its own. Used by the fixtures in conftest.py."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hbase_ferry.migration.settings import SshSettings

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


@dataclass
class Sshd:
    """A running sshd and the files that go with it."""

    folder: Path
    port: int
    pid: int

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def settings(self, **changes: object) -> SshSettings:
        given = {
            "host": "127.0.0.1",
            "port": self.port,
            "key_file": str(self.folder / "user"),
            "known_hosts": str(self.known_hosts),
            "connect_timeout_seconds": 10.0,
        }
        return SshSettings(**{**given, **changes})  # type: ignore[arg-type]

    def line(self, key: str = "host", host: str = "") -> str:
        """A known_hosts line for that key."""
        kind, blob = (self.folder / f"{key}.pub").read_text().split()[:2]
        return f"{host or f'[127.0.0.1]:{self.port}'} {kind} {blob}\n"

    def sessions(self) -> list[int]:
        """Pids of the processes that serve connections."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rsplit(")", 1)[1].split()
                if int(fields[1]) == self.pid:
                    found.append(int(stat.parent.name))
        return found


def keygen(path: Path, kind: str = "ed25519") -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)], check=True, stdin=subprocess.DEVNULL)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as sock:
        sock.settimeout(2)
        return sock.recv(4) == b"SSH-"
    return False


@contextmanager
def private_sshd(folder: Path) -> Iterator[Sshd]:
    """Starts the server with files in `folder`; it ends with the block."""
    assert SSHD is not None
    for name in ("host", "user", "other"):
        keygen(folder / name)
    keygen(folder / "rsa", "rsa")
    (folder / "authorized").write_text((folder / "user.pub").read_text())
    port = free_port()
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nHostKey {folder}/rsa\n"
        f"PidFile {folder}/pid\nAuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nPermitRootLogin yes\nMaxStartups 100\nSetEnv SHLVL=1\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    process = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", str(folder / "config")], stdin=subprocess.DEVNULL, stderr=(folder / "log").open("wb")
    )
    until = time.monotonic() + 20
    while not answers(port) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    assert process.poll() is None, (folder / "log").read_text()
    try:
        yield Sshd(folder, port, process.pid)
    finally:
        process.terminate()
        process.wait(10)
