"""A seeded writer with a ledger of what must exist, and the check that names every row that is lost.

The program is lab/java/Workload.java; the ledger's format stands in Ledger.java. Columns: `d:v` (140 bytes), `d:n`
and `m:w` (24 bytes each); a table that keeps several versions has `d:s` too, written as sets of three versions of
which single ones are deleted. Row keys are eight hex digits, spread evenly over the regions. Called through
`Lab.workload` and `BigtableLab.workload`.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.cluster import Cluster
from lab.places import LabError

ROWS = 200_000
RATE = 500
REGIONS = 8
INCOMPATIBLE = ("delete", "overflow", "future")
_QUIET = "-Dlab.root.logger=ERROR"


@dataclass(frozen=True)
class Bad:
    """One cell that is not as the ledger says. Moments are the cells' timestamps; 0: none.

    problem: missing | wrong | deleted (stands there though deleted) | foreign (never written by this workload).
    """

    row: str
    column: str
    problem: str
    expected: int
    found: int


@dataclass(frozen=True)
class Checked:
    """What a check found. `open_cells`: cells of batches nobody acknowledged; for them either value is right."""

    bad: tuple[Bad, ...]
    expected_rows: int
    scanned_rows: int
    open_cells: int
    ms: int

    def __str__(self) -> str:
        head = f"{self.expected_rows} rows expected, {self.scanned_rows} found, {len(self.bad)} cells wrong"
        return "\n".join([head, *(f"{b.row} {b.column} {b.problem}" for b in self.bad[:20])])


class Workload:
    """One table with its writer and its ledger on the source cluster."""

    def __init__(self, source: Cluster, folder: Path, table: str, seed: int, versions: int = 1) -> None:
        self.table = table
        self.seed = seed
        self.versions = versions
        "how many versions HBase keeps; above 1 the writer writes sets of them and deletes single ones"
        self.ledger = folder / "ledger"
        self._source = source
        self._folder = folder
        self._stop_file = folder / "stop"
        self._name = f"writer-{folder.name}"

    def create(self, regions: int = REGIONS) -> None:
        """Create the namespace and the table with families `d` and `m`. Raises LabError if the table exists."""
        self._run(self._source, "create", self.table, str(regions), str(self.versions))

    def load(self, rows: int = ROWS) -> None:
        """Put rows 0..rows-1; they stand in the ledger from here on."""
        self._run(self._source, "load", self.table, str(self.ledger), str(self.seed), str(rows))

    def start(self, rate: int = RATE, seconds: float = 60.0) -> None:
        """Start writing `rate` operations a second; returns once the first batch is acknowledged."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._stop_file.unlink(missing_ok=True)
        ledger, stop = str(self.ledger), str(self._stop_file)
        arguments = ("live", self.table, ledger, str(self.seed), str(rate), stop, str(self.versions))
        popen = self._source.registry.start(
            self._name, self._java(self._source, *arguments), log=self._log, owned=self._source.owned
        )
        self._popen = popen
        end = time.monotonic() + seconds
        while "LIVE" not in self._out():
            if popen.poll() is not None or time.monotonic() > end:
                raise LabError(f"the writer of {self.table} did not start:\n{self._err()[-3000:]}")
            time.sleep(0.02)

    @property
    def loaded(self) -> bool:
        """Whether an acknowledged load stands in the ledger."""
        try:
            with self.ledger.open() as lines:
                return any(line == "L\n" for _, line in zip(range(4), lines, strict=False))
        except FileNotFoundError:
            return False

    @property
    def running(self) -> bool:
        process = self._source.registry.get(self._name)
        return process is not None and process.alive

    def stop(self, seconds: float = 60.0) -> Mapping[str, Any]:
        """End the writer after its current batch; returns what it did. Raises LabError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._stop_file.touch()
        end = time.monotonic() + seconds
        while self.running:
            if time.monotonic() > end:
                raise LabError(f"the writer of {self.table} does not stop within {seconds:.0f} s")
            time.sleep(0.02)
        lines = self._out().splitlines()
        if not lines or not lines[-1].startswith("{"):
            raise LabError(f"the writer of {self.table} ended without a summary:\n{self._err()[-3000:]}")
        summary: dict[str, Any] = json.loads(lines[-1])
        return summary

    def kill(self) -> None:
        """SIGKILL the writer in the middle of whatever it does."""
        if process := self._source.registry.get(self._name):
            process.end()

    def incompatible(self, *kinds: str) -> None:
        """Write what Bigtable cannot take over as it is, in rows the ledger does not know (`foreign` to `check`).

        kinds: of delete, overflow, future; none: all three. Workload.java says what each is. All of it raises
        Google's counters by 6 incompatible mutations (4 of them deletes, 2 for the overflow), 2 dropped and 4 puts
        in the future: the overflowing ones, and the one of `overflow` just below it, lie in the future as well.
        Raises LabError.
        """
        self._run(self._source, "incompatible", self.table, ",".join(kinds or INCOMPATIBLE))

    def check(self, cluster: Cluster, families: tuple[str, ...] = ("d", "m")) -> Checked:
        """Compare the table on `cluster` with the ledger, cell by cell. Stop the writer first."""
        text = self._run(cluster, "check", self.table, str(self.ledger), ",".join(families), accept=(0, 1))
        *bad, summary = [json.loads(line) for line in text.splitlines()]
        if not summary.pop("summary", False) or summary.pop("bad") != len(bad):
            raise LabError(f"the check of {self.table} on {cluster.name} did not finish:\n{text[-2000:]}")
        return Checked(tuple(Bad(**line) for line in bad), **summary)

    @property
    def _log(self) -> Path:
        return self._folder / "writer"

    def _out(self) -> str:
        path = Path(f"{self._log}.out")
        return path.read_text(errors="replace") if path.exists() else ""

    def _err(self) -> str:
        path = Path(f"{self._log}.err")
        return path.read_text(errors="replace") if path.exists() else ""

    def _java(self, cluster: Cluster, *arguments: str) -> list[str]:
        command = cluster.java("-Xmx256m", "Workload", *arguments)
        owned = f"-Dlab.owned={str(cluster.owned).lower()}"
        return [command[0], _QUIET, owned, *command[1:]]

    def _run(self, cluster: Cluster, *arguments: str, accept: tuple[int, ...] = (0,)) -> str:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"workload-{secrets.token_hex(4)}"
        done = subprocess.run(
            cluster.registry.recorded(name, self._java(cluster, *arguments)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        (cluster.registry.folder / name).unlink(missing_ok=True)
        if done.returncode not in accept:
            raise LabError(f"workload {arguments[0]} of {self.table} failed:\n{done.stderr[:1500]}")
        return done.stdout
