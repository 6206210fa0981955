"""job.sh: a detached job runs at most once, is found again, and is done only with an exit code on disk."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

JOB = Path(__file__).parents[2] / "src" / "hbase_ferry" / "remote" / "job.sh"
PR_SET_CHILD_SUBREAPER = 36


class Jobs:
    """job.sh under one shell, with its jobs in a folder of their own."""

    def __init__(self, shell: str, folder: Path) -> None:
        self.shell, self.folder = shell, folder

    def run(self, verb: str, *arguments: str) -> list[str]:
        done = subprocess.run(
            [self.shell, str(JOB), verb, *arguments], capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout.split()

    def start(self, name: str, *argv: str) -> list[str]:
        return self.run("start", str(self.folder / name), *argv)

    def state(self, name: str) -> list[str]:
        return self.run("state", str(self.folder / name))

    def stop(self, name: str) -> list[str]:
        return self.run("stop", str(self.folder / name))

    def id(self, name: str) -> list[str]:
        return (self.folder / name / "id").read_text().split()

    def until(self, name: str, phase: str, seconds: float = 20.0) -> list[str]:
        until = time.monotonic() + seconds
        while (state := self.state(name))[0] != phase and time.monotonic() < until:
            time.sleep(0.05)
        return state


@pytest.fixture(params=["dash", "bash"])
def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Jobs]:
    if shutil.which(request.param) is None:
        pytest.skip(f"no {request.param} here")
    made = Jobs(request.param, tmp_path)
    yield made
    for folder in tmp_path.iterdir():
        if (folder / "id").exists():
            made.run("stop", str(folder))


def members(session: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] not in "ZX":
            found.append(int(stat.parent.name))
    return found


def test_a_job_runs_and_leaves_its_exit_code_its_output_and_its_times(jobs: Jobs) -> None:
    before = int(time.time())
    jobs.start("a", "sh", "-c", "echo out; echo err >&2; exit 7")
    phase, code, started, ended, left = jobs.until("a", "done")
    assert (phase, code, left) == ("done", "7", "0")
    assert before <= int(started) <= int(ended) <= int(time.time())
    assert (jobs.folder / "a" / "out").read_text() == "out\nerr\n"


def test_a_job_nobody_started_is_none(jobs: Jobs) -> None:
    assert jobs.state("nobody") == ["none", "-", "-", "-", "0"]


def test_several_states_come_in_order(jobs: Jobs) -> None:
    jobs.start("a", "true")
    jobs.until("a", "done")
    assert jobs.run("state", str(jobs.folder / "x"), str(jobs.folder / "a"))[0::5] == ["none", "done"]


def test_a_second_start_only_reports(jobs: Jobs) -> None:
    count = jobs.folder / "count"
    for _ in range(3):
        jobs.start("a", "sh", "-c", f"echo ran >> {count}")
    jobs.until("a", "done")
    jobs.start("a", "sh", "-c", f"echo again >> {count}")
    assert count.read_text() == "ran\n"


def test_eight_starts_at_once_run_it_once(jobs: Jobs) -> None:
    count = jobs.folder / "count"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: jobs.start("a", "sh", "-c", f"echo ran >> {count}; sleep 0.3"), range(8)))
    jobs.until("a", "done")
    assert count.read_text() == "ran\n"


def test_a_job_survives_the_death_of_whoever_started_it_and_of_its_whole_group(jobs: Jobs) -> None:
    code = "import subprocess, sys, time; subprocess.run(sys.argv[1:]); print(1, flush=True); time.sleep(60)"
    argv = [jobs.shell, str(JOB), "start", str(jobs.folder / "a"), "sh", "-c", "sleep 0.5; exit 4"]
    parent = subprocess.Popen([sys.executable, "-c", code, *argv], stdout=subprocess.PIPE, start_new_session=True)
    assert parent.stdout is not None and b"running" in parent.stdout.readline()
    os.killpg(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert jobs.until("a", "done")[1] == "4"


def test_a_killed_wrapper_is_a_lost_job_and_what_it_left_behind_is_counted(jobs: Jobs) -> None:
    jobs.start("a", "sleep", "100")
    pid = int(jobs.id("a")[0])
    os.kill(pid, signal.SIGKILL)
    assert jobs.until("a", "lost")[4] == "1"
    for child in members(pid):
        os.kill(child, signal.SIGKILL)
    wait_until(lambda: jobs.state("a")[4] == "0")
    assert jobs.start("a", "true")[0] == "lost"


def test_a_killed_wrapper_that_nobody_reaps_is_lost_and_not_running_for_ever(jobs: Jobs) -> None:
    """In a container whose PID 1 does not reap, the zombie keeps its pid and start time."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    try:
        jobs.start("a", "sleep", "100")
        pid = int(jobs.id("a")[0])
        children = [p for p in members(pid) if p != pid]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: zombie(pid))
        assert jobs.state("a")[0] == "lost"
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        assert jobs.state("a") == ["lost", "-", jobs.id("a")[3], "-", "0"]
        os.waitpid(pid, 0)
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def test_stop_ends_the_job_and_keeps_its_exit_code(jobs: Jobs) -> None:
    """dash has no `kill -- -GROUP`, and a wrapper that dies of the TERM could not write the code down."""
    jobs.start("a", "sleep", "100")
    pid = int(jobs.id("a")[0])
    assert jobs.stop("a")[:2] == ["done", "143"]
    assert members(pid) == []


def test_stop_kills_what_does_not_listen(jobs: Jobs) -> None:
    jobs.start("a", "sh", "-c", "trap '' TERM; sleep 100; sleep 100")
    wait_until(lambda: len(members(int(jobs.id("a")[0]))) >= 3)
    assert jobs.stop("a")[:2] == ["done", "137"]


def test_stopping_what_is_over_changes_nothing(jobs: Jobs) -> None:
    jobs.start("a", "sh", "-c", "exit 3")
    jobs.until("a", "done")
    assert jobs.stop("a")[:2] == ["done", "3"]
    assert jobs.stop("nobody")[0] == "none"


def test_a_recycled_pid_is_neither_running_nor_signalled(jobs: Jobs) -> None:
    jobs.start("a", "sleep", "100")
    pid, born, boot, began = jobs.id("a")
    (jobs.folder / "a" / "id").write_text(f"{pid} {int(born) - 1} {boot} {began}\n")
    assert jobs.state("a") == ["lost", "-", began, "-", "0"]
    assert jobs.stop("a")[0] == "lost"
    assert members(int(pid))
    (jobs.folder / "a" / "id").write_text(f"{pid} {born} {boot} {began}\n")


def test_a_job_of_another_boot_is_lost(jobs: Jobs) -> None:
    jobs.start("a", "sleep", "100")
    whole = (jobs.folder / "a" / "id").read_text()
    pid, born, boot, began = whole.split()
    (jobs.folder / "a" / "id").write_text(f"{pid} {born} {boot[::-1]} {began}\n")
    assert jobs.state("a")[0] == "lost"
    (jobs.folder / "a" / "id").write_text(whole)


def test_a_claim_that_never_became_a_job_is_new_and_then_lost_and_never_run(jobs: Jobs) -> None:
    (jobs.folder / "a").mkdir()
    assert jobs.state("a")[0] == "new"
    os.utime(jobs.folder / "a", (time.time() - 60,) * 2)
    assert jobs.state("a")[0] == "lost"
    assert jobs.start("a", "touch", str(jobs.folder / "ran"))[0] == "lost"
    assert not (jobs.folder / "ran").exists()


def test_a_wrapper_that_comes_to_life_after_its_claim_was_lost_runs_nothing(jobs: Jobs) -> None:
    """Its job was reported lost and may have been begun again."""
    (jobs.folder / "a").mkdir()
    late = [jobs.shell, str(JOB), "run", str(jobs.folder / "a"), str(int(time.time()) - 31), "touch"]
    ended = subprocess.run([*late, str(jobs.folder / "ran")], capture_output=True, timeout=60, check=False)
    assert ended.returncode == 75 and not (jobs.folder / "ran").exists()


def test_a_command_killed_from_outside_is_done_with_its_signal(jobs: Jobs) -> None:
    jobs.start("a", "sh", "-c", "kill -9 $$")
    assert jobs.until("a", "done")[1] == "137"


def test_a_command_that_does_not_exist_is_done_with_127(jobs: Jobs) -> None:
    jobs.start("a", "/no/such/hbase", "x")
    assert jobs.until("a", "done")[1] == "127"


def test_arguments_arrive_unharmed(jobs: Jobs) -> None:
    hostile = ["a b", "$(id)", "'", '"', "*", "", "-n", "; exit 9", "--"]
    jobs.start("a", sys.executable, "-c", "import sys; print(sys.argv[1:])", *hostile)
    assert jobs.until("a", "done")[1] == "0"
    assert (jobs.folder / "a" / "out").read_text() == f"{hostile}\n"


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
