"""Where and on what a figure was measured, and the small statistics every benchmark prints.

Invariant: no figure without its machine, versions and load. Called by every benchmark.
"""

from __future__ import annotations

import math
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version

HIGH_LOAD = 0.75
"Runnable processes per core above which figures of time say more about the neighbours than about us."


class Skipped(Exception):
    """This benchmark cannot run here; the text says what is missing."""


def introduce() -> None:
    """Prints versions and machine."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("hbase-ferry", "textual", "plotext", "pydantic"))
    print(f"machine   {_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}")
    print(f"versions  CPython {platform.python_version()}, {packages}")
    if _high():
        print("WARNING   the load is high: take no time below at face value, and compare only ratios", file=sys.stderr)


def load_line() -> str:
    """The load averages now, with a warning where they spoil the figures."""
    one, five, _ = os.getloadavg()
    warning = "; HIGH, the figures are worse than those of a quiet machine" if _high() else ""
    return f"load average {one:.1f} (1 min) {five:.1f} (5 min){warning}"


def _high() -> bool:
    return os.getloadavg()[0] / (os.cpu_count() or 1) > HIGH_LOAD


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed. NaN where there is none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def median(values: Sequence[float]) -> float:
    return percentile(values, 0.5)


def milliseconds(seconds: float) -> str:
    """Three digits that count: "0.42 ms", "31.4 ms", "4210 ms"."""
    value = seconds * 1000
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} ms"
