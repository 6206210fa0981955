"""The console from outside: on a terminal of 120x40, live on the embedded pair with 200 tables a side, at 1 Hz.

Measured as a user's terminal would: start to the first full screen, CPU of the process tree, bytes a refresh,
resident memory, key to the first byte of its effect, `?` to the help text on the screen. The yardstick is
`bare_textual`, a program that only shows two tables, measured by the same driver in the same run. For keys there is a
control without a key: how often something came by itself within the time that 90 % of the effects took.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from bench.bare_textual import HELP as BARE_HELP
from bench.machine import median, percentile
from bench.terminal import Program

STARTS = 7
SETTLE_SECONDS = 5.0
STEADY_SECONDS = 30.0
KEYS = 60
HELPS = 30
DOWN, UP, ESCAPE = b"\x1b[B", b"\x1b[A", b"\x1b"


@dataclass(frozen=True)
class Subject:
    """A program to measure, and how its screen says that it is there."""

    name: str
    argv: tuple[str, ...]
    full: Callable[[str], bool]
    help: str


@dataclass(frozen=True)
class Figures:
    """What was measured of one program. Seconds, bytes, shares."""

    first_screen: float
    first_screen_cpu: float
    cpu: float
    bytes_a_refresh: float
    rss: float
    key: float
    key_p90: float
    help: float
    help_p90: float


def console_is_full(screen: str) -> bool:
    """Every pane has its content: both sides' tables, both charts' headings, the steps, the chosen one, the keys."""
    words = ("SOURCE prod-bj", "TARGET emr6", "Replication lag", "WALs kept", "ready    1 check", "q quit", "Events")
    return screen.count("app00:t001") == 2 and all(word in screen for word in words)


CONSOLE = Subject(
    "hbase-ferry demo --tables 200",
    (str(Path(sys.executable).with_name("hbase-ferry")), "demo", "--tables", "200"),
    console_is_full,
    "closes it",
)
BARE = Subject(
    "bare Textual, two tables",
    (sys.executable, "-m", "bench.bare_textual"),
    lambda screen: screen.count("app:table_005") == 2,
    BARE_HELP,
)
NAMES = {
    "first_screen": ("first full screen", "s"),
    "first_screen_cpu": ("  CPU spent until then", "s"),
    "cpu": ("CPU of the process tree", "%"),
    "bytes_a_refresh": ("bytes a refresh", "KB"),
    "rss": ("resident memory", "MB"),
    "key": ("cursor key to first byte, p50", "ms"),
    "key_p90": ("cursor key to first byte, p90", "ms"),
    "help": ("? to help text on screen, p50", "ms"),
    "help_p90": ("? to help text on screen, p90", "ms"),
}
AIMS = {
    "first_screen": 0.5, "cpu": 0.035, "bytes_a_refresh": 8_000.0, "rss": 80e6, "key": 0.005, "help": 0.05,
    "help_p90": 0.1,
}  # fmt: skip
"of issue 3, as seconds, shares and bytes"
SCALES = {"s": 1.0, "%": 100.0, "KB": 1e-3, "MB": 1e-6, "ms": 1e3}


def run() -> None:
    """Measures both programs and prints them side by side."""
    begun = starts(CONSOLE, BARE)
    ours, bare = (measure(subject, begun[subject.name]) for subject in (CONSOLE, BARE))
    print(f"\n{'':32}{'console':>11}{'bare':>10}{'ratio':>8}{'aim':>11}")
    for field in fields(Figures):
        name, unit = NAMES[field.name]
        aim, own, other = AIMS.get(field.name), getattr(ours, field.name), getattr(bare, field.name)
        wanted = f"{'<= ' + _written(aim, unit):>11}  {'met' if own <= aim else 'MISSED'}" if aim else ""
        print(f"{name:32}{_written(own, unit):>11}{_written(other, unit):>10}{own / other:>8.2f}{wanted}")


def _written(value: float, unit: str) -> str:
    scaled = value * SCALES[unit]
    return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f} {unit}"


def starts(*subjects: Subject) -> dict[str, list[tuple[float, float]]]:
    """Seconds and CPU seconds of each start to the first full screen, the programs in turn."""
    for subject in subjects:
        with started(subject) as (_, took, _):
            print(f"{subject.name}: the very first start, which compiles every module: {took:.2f} s")
    took_by: dict[str, list[tuple[float, float]]] = {subject.name: [] for subject in subjects}
    for _ in range(STARTS):
        for subject in subjects:
            with started(subject) as (_, took, cpu):
                took_by[subject.name].append((took, cpu))
    for name, each in took_by.items():
        print(f"{name}: starts {', '.join(f'{took:.2f}' for took, _ in sorted(each))} s", flush=True)
    return took_by


def measure(subject: Subject, begun: Sequence[tuple[float, float]]) -> Figures:
    """Everything else about one program, in one run of it. `begun`: its starts."""
    with started(subject) as (program, _, _):
        program.watch(SETTLE_SECONDS)
        cpu, size = steady(program)
        keys = cursor_keys(program)
        control = nothing_pressed(program, percentile(keys, 0.9))
        helps = help_keys(program, subject.help)
        rss = program.rss_bytes()
    within = f"{percentile(keys, 0.9) * 1e3:.1f} ms (the cursor key's p90)"
    print(f"{subject.name}: control without a key: output within {within} in {control:.0%} of {KEYS} windows; "
          f"the help text {spontaneous_help(subject)}")  # fmt: skip
    return Figures(
        median([took for took, _ in begun]), median([cpu for _, cpu in begun]), cpu, size, rss,
        median(keys), percentile(keys, 0.9), median(helps), percentile(helps, 0.9),
    )  # fmt: skip


def spontaneous_help(subject: Subject) -> str:
    """A start that nobody touches, watched for a while: whether its help shows by itself."""
    with started(subject) as (program, _, _):
        return "never" if program.until(lambda screen: subject.help in screen, 5.0) is None else "SEEN"


@contextlib.contextmanager
def started(subject: Subject) -> Iterator[tuple[Program, float, float]]:
    """A running program whose first full screen is there, with the seconds and CPU seconds that took."""
    program = Program(subject.argv)
    try:
        moment = program.until(subject.full, 60.0)
        if moment is None:
            raise RuntimeError(f"{subject.name} never showed its full screen:\n{program.screen.text()}")
        yield program, moment - program.started, program.cpu_seconds()
    finally:
        program.end()


def steady(program: Program) -> tuple[float, float]:
    """Share of one core, and bytes a second, which is a refresh, while nobody types."""
    cpu, received = program.cpu_seconds(), program.received
    program.watch(STEADY_SECONDS)
    return (program.cpu_seconds() - cpu) / STEADY_SECONDS, (program.received - received) / STEADY_SECONDS


def cursor_keys(program: Program) -> list[float]:
    """Seconds from a cursor key to the first byte after it, at random moments in which nothing is being written."""
    took = []
    for number in range(KEYS):
        _at_random(program)
        pressed = program.press(UP if number % 2 else DOWN)
        answered = program.read(2.0)
        if answered is not None:
            took.append(answered - pressed)
    return took


def nothing_pressed(program: Program, within: float) -> float:
    """The share of like moments in which something came within that time although no key was pressed."""
    came = 0
    for _ in range(KEYS):
        _at_random(program)
        came += program.read(within) is not None
    return came / KEYS


def help_keys(program: Program, text: str) -> list[float]:
    """Seconds from `?` to the help text on the screen."""
    took = []
    for _ in range(HELPS):
        _at_random(program)
        pressed = program.press(b"?")
        shown = program.until(lambda screen: text in screen, 5.0)
        if shown is None:
            raise RuntimeError(f"? did not bring the help:\n{program.screen.text()}")
        took.append(shown - pressed)
        program.quiet(0.05)
        program.press(ESCAPE)
        program.until(lambda screen: text not in screen, 5.0)
    return took


def _at_random(program: Program) -> None:
    program.watch(random.uniform(0.05, 0.35))
    program.quiet(0.03)
