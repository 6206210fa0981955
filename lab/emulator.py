"""Google's Bigtable emulator as a server of the lab, out of Google's jar in Maven Central.

Invariant: the port is fixed when the emulator is built, so that it comes back where the source's servers look for it.
It keeps everything in memory: killed and restarted it is empty, frozen and thawed it has all. Called by `bigtable`.
"""

from __future__ import annotations

import platform
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab import jars
from lab.places import HERE, LabError, Unavailable
from lab.process import Process, Registry

if TYPE_CHECKING:
    from lab.instance import Instance

PROJECT = "lab-project"
INSTANCE = "lab-instance"

_PLATFORMS = {"x86_64": "linux-x86_64", "aarch64": "linux-arm"}


def binary() -> Path:
    """The emulator's program for this machine, out of Google's jar. Raises Unavailable."""
    kind = _PLATFORMS.get(platform.machine())
    if kind is None:
        raise Unavailable(f"Google's Bigtable emulator has no program for {platform.machine()}")
    library = jars.class_path(HERE / "poms" / "bigtable-emulator.xml")
    return jars.unpacked(library, f"gcloud/bigtable-{kind}/platform/bigtable-emulator/cbtemulator")


class Emulator:
    """One emulator with the instance `lab-instance` of the project `lab-project`."""

    name = "emulator"

    def __init__(self, root: Path, port: int, program: Path, records: Path) -> None:
        self.root = root
        self.port = port
        self.owned = False
        "True: the emulator ends with this Python process"
        self.registry = Registry(records)
        self._program = program
        self._popens: dict[str, subprocess.Popen[bytes]] = {}

    # ---- what clients need

    @property
    def address(self) -> str:
        """host:port, plain text and without credentials."""
        return f"127.0.0.1:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        """Environment that sends Google's own clients and tools here."""
        return {"BIGTABLE_EMULATOR_HOST": self.address}

    @property
    def parent(self) -> str:
        """Full name of the instance."""
        return f"projects/{PROJECT}/instances/{INSTANCE}"

    # ---- life

    def lay_out(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)

    def launch(self) -> None:
        """Start the emulator, empty, if it does not run. Returns at once; see `await_ready`."""
        if self.running:
            return
        argv = [str(self._program), "-host", "127.0.0.1", "-port", str(self.port)]
        self._popens[self.name] = self.registry.start(self.name, argv, log=self._log)
        if self.owned and f"{self.name}-owner" not in self._popens:
            owner = f"{self.name}-owner"
            self._popens[owner] = self.registry.end_with_owner(self.name, log=self.root / owner)

    def await_ready(self, seconds: float) -> None:
        """Wait until it takes connections. Raises LabError with what it said."""
        end = time.monotonic() + seconds
        while not self._answers():
            popen = self._popens.get(self.name)
            if time.monotonic() > end or (popen is not None and popen.poll() is not None):
                said = Path(f"{self._log}.out").read_text() + Path(f"{self._log}.err").read_text()
                raise LabError(f"the lab's Bigtable emulator did not come up at {self.address}:\n{said[-2000:]}")
            time.sleep(0.01)

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing answers, nothing is lost."""
        self._process().signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT after `freeze`."""
        self._process().signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL: connections are refused, every table is gone."""
        self._process().end()

    def restart(self, seconds: float = 20.0) -> None:
        """Start again, empty, after `kill`."""
        self.launch()
        self.await_ready(seconds)

    @property
    def running(self) -> bool:
        process = self.registry.get(self.name)
        return process is not None and process.alive

    @property
    def pid(self) -> int:
        """Raises LabError if it is gone."""
        return self._process().pid

    # ---- tables and cells

    @property
    def instance(self) -> Instance:
        """Its tables and cells. Needs google-cloud-bigtable, which takes a second to import: not before it is asked."""
        from lab.instance import Instance

        return Instance(self.address, self.parent)

    @property
    def _log(self) -> Path:
        return self.root / "emulator"

    def _process(self) -> Process:
        process = self.registry.get(self.name)
        if process is None or not process.alive:
            raise LabError("the lab's Bigtable emulator is not running")
        return process

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0 and self.running
