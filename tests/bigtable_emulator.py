"""A Bigtable emulator alone, without an HBase, for the tests of the real client."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from lab.emulator import Emulator, binary
from lab.ports import free_ports

from lab import places


@contextlib.contextmanager
def running_emulator(name: str) -> Iterator[Emulator]:
    """An empty emulator that ends with the block. `name`: its folder in this session's. Raises Unavailable."""
    root = places.session() / name
    (root / "records").mkdir(parents=True)
    emulator = Emulator(root, free_ports(("emulator",))["emulator"], binary(), root / "records")
    emulator.owned = True
    emulator.lay_out()
    emulator.launch()
    try:
        emulator.await_ready(20.0)
        yield emulator
    finally:
        with contextlib.suppress(Exception):
            emulator.thaw()
        emulator.kill()


def freeze(emulator: Emulator) -> None:
    """Stops it and waits until each of its threads has stopped: until then it may still answer."""
    emulator.freeze()
    states = Path(f"/proc/{emulator.pid}/task")
    end = time.monotonic() + 10
    while any(_state(thread) != "T" for thread in states.iterdir()):
        assert time.monotonic() < end, "the emulator did not stop"
        time.sleep(0.01)


def _state(thread: Path) -> str:
    return (thread / "stat").read_text().rpartition(") ")[2][0]
