"""Which addresses a process listens on, as the kernel says."""

from __future__ import annotations

import contextlib
from pathlib import Path


def listening(pid: int) -> set[str]:
    """Addresses a process listens on, as the kernel writes them: 0100007F is 127.0.0.1."""
    sockets = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            sockets.add(str(fd.readlink()).removeprefix("socket:[").removesuffix("]"))
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    lines = [line.split() for table in tables for line in table]
    return {line[1].split(":")[0] for line in lines if line[3] == "0A" and line[9] in sockets}
