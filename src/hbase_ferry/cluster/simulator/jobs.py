"""Detached jobs on the simulated edge nodes: started at most once an id, found again, stopped, lost.

A job is a generator that yields how many simulated seconds it works and returns its exit code; `tools.script_of`
maps the command line to one, as the shell would. Its output has the form of the real tools' stderr, so that
whatever reads one reads the other. An argv nobody knows ends with 127.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Json
from hbase_ferry.model.view import JobPhase

if TYPE_CHECKING:
    from hbase_ferry.cluster.simulator.cluster import SimCluster
    from hbase_ferry.cluster.simulator.world import World

JobScript = Generator[float, None, int]
TAIL = 5
LINE = 500
TERMINATED = 143


class JobFailed(Exception):
    """The running tool dies of an exception: its text goes to the log, exit code 1."""


class ClientGone(Exception):
    """The work on YARN came to its end, and the client that would have finished it is no more."""


class Job:
    """One job of one edge node."""

    def __init__(self, job_id: str, world: World, cluster: SimCluster, argv: Sequence[str], env: Mapping[str, str]):
        self.id = job_id
        self.world = world
        self.cluster = cluster
        self.argv = tuple(argv)
        self.env = dict(env)
        self.phase = JobPhase.RUNNING
        self.exit_code: int | None = None
        self.started_ms = self._seconds()
        self.ended_ms: int | None = None
        self.counters: dict[str, int] = {}
        self.application = ""
        self.doomed = ""
        "set by a fault: the text it fails with at its next step"
        self.on_yarn = False
        "its work goes on without the client"
        self._out: list[bytes] = []
        self._size = 0
        self._script: JobScript | None = None

    def _seconds(self) -> int:
        """job.sh keeps whole seconds."""
        return (self.world.now_ms + self.cluster.skew_ms) // 1000 * 1000

    def say(self, line: str) -> None:
        """One raw line of output; nobody hears it once the client is gone."""
        if self.phase is not JobPhase.RUNNING:
            return
        data = line.encode() + b"\n"
        self._out.append(data)
        self._size += len(data)

    def log(self, text: str, level: str = "INFO ", thread: str = "main") -> None:
        """One log4j line: `2026-11-20T23:10:48,831 INFO  [main] snapshot.ExportSnapshot: …`."""
        moment = datetime.fromtimestamp((self.world.now_ms + self.cluster.skew_ms) / 1000, UTC)
        self.say(f"{moment:%Y-%m-%dT%H:%M:%S},{moment.microsecond // 1000:03d} {level} [{thread}] {text}")

    def dump(self, groups: Mapping[str, Mapping[str, int]]) -> None:
        """The counter dump at a MapReduce job's end; the job's state carries them from now on."""
        self.log(f"mapreduce.Job: Counters: {sum(map(len, groups.values()))}")
        for group, counters in groups.items():
            self.say(f"\t{group}")
            for name, value in counters.items():
                self.say(f"\t\t{name}={value}")
                self.counters[name] = value

    def metrics(self, logger: str, namespace: str, counters: Mapping[str, int]) -> None:
        """Beam's counters as the tools print them, `namespace:name:value` at a line's end; the state carries them."""
        for name, value in counters.items():
            self.log(f"{logger} - {namespace}:{name}:{value}", "WARN ")
            self.counters[name] = value

    def output(self, offset: int, limit: int) -> dict[str, Json]:
        """Bytes of the output from `offset`."""
        data = b"".join(self._out)[offset : offset + max(0, limit)]
        return {"offset": offset, "next_offset": offset + len(data), "text": data.decode(errors="replace")}

    def state(self) -> dict[str, Json]:
        """The wire's JobState."""
        lines = b"".join(self._out[-2 * TAIL :]).decode(errors="replace").splitlines()
        tail = [line.rstrip()[:LINE] for line in lines if line.strip()][-TAIL:]
        return {
            "id": self.id, "side": self.cluster.side.value, "phase": self.phase.value, "exit_code": self.exit_code,
            "started_ms": self.started_ms, "ended_ms": self.ended_ms, "output_bytes": self._size,
            "counters": dict(self.counters), "application_id": self.application, "tail": [*tail], "left": 0,
        }  # fmt: skip

    def run(self, script: JobScript) -> None:
        self._script = script
        self._step()

    def _step(self) -> None:
        if self._script is None:
            return
        try:
            seconds = self._script.throw(JobFailed(self.doomed)) if self.doomed else next(self._script)
        except StopIteration as end:
            self.end(JobPhase.DONE, int(end.value))
            return
        except ClientGone:
            self._script = None
            return
        except JobFailed as error:
            if self.phase is not JobPhase.RUNNING:
                return
            self.say(f"Exception in thread \"main\" java.io.IOException: {error}")
            self.end(JobPhase.DONE, 1)
            return
        self.world.at(self.world.now_ms + max(1, round(seconds * 1000)), self._step)

    def end(self, phase: JobPhase, exit_code: int | None, *, client_only: bool = False) -> None:
        """`client_only`: what runs on YARN goes on copying, and nobody will rename the manifest."""
        self.phase, self.exit_code = phase, exit_code
        self.ended_ms = self._seconds() if phase is JobPhase.DONE else None
        if not (client_only and self.on_yarn):
            self._script = None


Tool = Callable[[Job, tuple[str, ...]], JobScript]


class JobBook:
    """All jobs, by side and id."""

    def __init__(self, world: World, script_of: Callable[[Job], JobScript]) -> None:
        self._world = world
        self._script_of = script_of
        self._jobs: dict[tuple[Side, str], Job] = {}

    def start(self, side: Side, job_id: str, argv: Sequence[str], env: Mapping[str, str]) -> Job:
        """The job of that id, started if it is new."""
        if (side, job_id) not in self._jobs:
            job = Job(job_id, self._world, self._world.clusters[side], argv, env)
            self._jobs[side, job_id] = job
            job.run(self._script_of(job))
        return self._jobs[side, job_id]

    def find(self, side: Side, job_id: str) -> Job | None:
        return self._jobs.get((side, job_id))

    def named(self, side: Side, prefix: str) -> list[Job]:
        """Jobs whose id starts with `prefix`, by id."""
        found = [job for (where, name), job in self._jobs.items() if where is side and name.startswith(prefix)]
        return sorted(found, key=lambda job: job.id)

    def stop(self, side: Side, job_id: str) -> Job | None:
        """TERM to a running job's process group: what it left half done stays."""
        job = self.find(side, job_id)
        if job is not None and job.phase is JobPhase.RUNNING:
            job.end(JobPhase.DONE, TERMINATED)
        return job

    def lose(self, side: Side, job_id: str, *, client_only: bool = False) -> None:
        """Its processes vanish without an exit code; `client_only`: those of the edge node alone."""
        job = self._jobs[side, job_id]
        if job.phase is JobPhase.RUNNING:
            job.end(JobPhase.LOST, None, client_only=client_only)

    def forget(self, side: Side, job_id: str) -> None:
        """Its record goes, as with another edge node or a cleaned folder; what it does goes on unseen."""
        del self._jobs[side, job_id]

    def fail(self, side: Side, job_id: str, text: str = "java.net.SocketTimeoutException: injected") -> None:
        """It fails at its next step, by an exception inside the tool."""
        self._jobs[side, job_id].doomed = text


def absent(side: Side, job_id: str) -> dict[str, Json]:
    """The state of a job that was never started there."""
    return {
        "id": job_id, "side": side.value, "phase": JobPhase.NONE.value, "exit_code": None, "started_ms": None,
        "ended_ms": None, "output_bytes": 0, "counters": {}, "application_id": "", "tail": [], "left": 0,
    }  # fmt: skip
