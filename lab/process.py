"""Processes the lab starts, and how they are found again: by pid and the kernel's start time, never by name.

Invariant: a process writes its own record before it becomes the real program (`exec` keeps pid and start time), so
there is no moment at which a killed starter leaves a process without a record. A record in a folder that was
removed in the meantime cannot be written, and the process gives up. Wrappers on the edge nodes write the same
records, so jobs and agents are found as well. A zombie counts as gone: pid 1 of a container may never reap it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RECORD_AND_EXEC = """\
record=$1; shift
read -r stat < /proc/$$/stat; rest=${stat##*) }
set -- $rest -- "$@"; n=0
while [ "$1" != -- ]; do n=$((n + 1)); [ $n = 20 ] && start=$1; shift; done; shift
read -r boot < /proc/sys/kernel/random/boot_id
if ! { echo "$$ $start $boot" > "$record"; } 2> /dev/null; then echo "this lab has ended" >&2; exit 75; fi
exec "$@"
"""
"sh -c text: $1 is the record to write, the rest is the command"

_END_WITH_OWNER = """\
cat > /dev/null
record=$1
read -r pid start boot < "$record" && read -r stat < "/proc/$pid/stat" || exit 0
set -- ${stat##*) }; shift 19
[ "$1" = "$start" ] && kill -KILL "$pid"
"""
"sh -c text: when standard input ends, the process of the record $1 ends, whichever it is by then"


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> str | None:
    """The kernel's start time of a living process (field 22 of stat). None: gone, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


@dataclass(frozen=True)
class Process:
    """One recorded process. `start` is the kernel's start time in ticks since boot."""

    name: str
    pid: int
    start: str
    boot: str

    @classmethod
    def read(cls, record: Path) -> Process | None:
        """None: no such record, or one that was never finished."""
        try:
            pid, start, boot = record.read_text().split()
            return cls(record.name, int(pid), start, boot)
        except (OSError, ValueError):
            return None

    @property
    def alive(self) -> bool:
        return self.boot == boot_id() and start_time(self.pid) == self.start

    def signal(self, number: int) -> None:
        """Send a signal if it is still the same process."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def end(self, seconds: float = 10.0) -> None:
        """SIGKILL and wait until it is gone. A frozen process ends as well. Raises TimeoutError."""
        self.signal(signal.SIGKILL)
        end = time.monotonic() + seconds
        while self.alive:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, os.WNOHANG)
            if time.monotonic() > end:
                raise TimeoutError(f"process {self.pid} ({self.name}) does not end")
            time.sleep(0.01)

    def rss_mb(self) -> int:
        """Resident memory in MB; 0 when gone."""
        try:
            text = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return 0
        return next((int(line.split()[1]) // 1024 for line in text.splitlines() if line.startswith("VmRSS")), 0)


class Registry:
    """The records of one lab's processes, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        owned: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start a detached process whose stdout goes to `<log>.out` and stderr to `<log>.err`.

        `owned`: its standard input is a pipe of ours that ends when we die; else it is /dev/null.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).unlink(missing_ok=True)
        with open(f"{log}.out", "wb") as out, open(f"{log}.err", "wb") as err:
            return subprocess.Popen(
                self.recorded(name, argv),
                stdin=subprocess.PIPE if owned else subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    def end_with_owner(self, name: str, *, log: Path) -> subprocess.Popen[bytes]:
        """Start a watch that ends the process `name` when we end, however that happens; for programs that cannot.

        The watch is recorded as `<name>-owner`. It lasts as long as the returned object does.
        """
        argv = ["/bin/sh", "-c", _END_WITH_OWNER, "lab", str(self.folder / name)]
        return self.start(f"{name}-owner", argv, log=log, owned=True)

    def recorded(self, name: str, argv: Sequence[str]) -> list[str]:
        """The command line that records itself as `name` and then becomes `argv`."""
        return ["/bin/sh", "-c", RECORD_AND_EXEC, "lab", str(self.folder / name), *argv]

    def get(self, name: str) -> Process | None:
        return Process.read(self.folder / name)

    def living(self) -> tuple[Process, ...]:
        """Every recorded process that is still there."""
        records = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
        found = (Process.read(record) for record in records)
        return tuple(process for process in found if process is not None and process.alive)

    def end_all(self) -> tuple[Process, ...]:
        """End everything recorded and forget it. Processes that start meanwhile find no folder to write into."""
        ended: list[Process] = []
        while living := self.living():
            for process in living:
                process.signal(signal.SIGKILL)
            for process in living:
                process.end()
            ended += living
        for record in self.folder.iterdir() if self.folder.is_dir() else ():
            record.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()
        return tuple(ended)
