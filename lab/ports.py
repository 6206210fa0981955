"""Free ports on the loopback.

They are taken from below the kernel's ephemeral range, so that no outgoing connection of the many a cluster opens
can sit on a port between its choice and its use, or between a kill and a restart; each is bound once to prove that
it is free.
"""

from __future__ import annotations

import random
import socket

_FIRST, _LAST = 12_000, 30_000


def free_ports(names: tuple[str, ...]) -> dict[str, int]:
    """One free port for each name, all different."""
    held: list[socket.socket] = []
    try:
        return {name: _take(held) for name in names}
    finally:
        for probe in held:
            probe.close()


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of the loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _take(held: list[socket.socket]) -> int:
    choose = random.SystemRandom()
    while True:
        probe = socket.socket()
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port = choose.randrange(_FIRST, _LAST)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.close()
            continue
        held.append(probe)
        return port
