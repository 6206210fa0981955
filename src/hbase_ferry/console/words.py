"""Ages and states in a few words, coarse enough that a quiet screen stays still.

Invariant: an age changes its words at 5, 10, 20, 30 s and then by the minute, so that a poll every second repaints
nothing. Called by the modules that build lines.
"""

from __future__ import annotations

from typing import Any

from hbase_ferry.insight.format import duration, moment
from hbase_ferry.migration.core import Risk, StepState
from hbase_ferry.model.cluster import Observed

LIVE_SECONDS = 5.0
SLOW_LIVE_SECONDS = 15.0
"Listings are looked at every ten seconds."
STALE_SECONDS = 30.0

STATE_ROLE = {
    StepState.DONE: "ok",
    StepState.RUNNING: "accent",
    StepState.READY: "strong",
    StepState.BLOCKED: "warn",
    StepState.LATER: "dim",
    StepState.UNKNOWN: "stale",
}

RISK_TEXT = {
    Risk.SAFE: "reads only",
    Risk.REVERSIBLE: "can be undone",
    Risk.CUTOVER: "CUTOVER: moves the truth to the other side",
    Risk.DESTRUCTIVE: "DESTRUCTIVE: cannot be undone",
}


def age_words(seconds: float) -> str:
    """"live", "5 s old", "20 s old", "3 min old", "2 h old"."""
    if seconds < LIVE_SECONDS:
        return "live"
    if seconds < 60:
        step = max(step for step in (5, 10, 20, 30) if seconds >= step)
        return f"{step} s old"
    if seconds < 3600:
        return f"{int(seconds // 60)} min old"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h old"
    return f"{int(seconds // 86400)} d old"


def freshness(part: Observed[Any], now: float, live: float = LIVE_SECONDS) -> tuple[str, str]:
    """How current a part is, in words, and its role."""
    if part.at is None:
        return ("never seen", "bad") if part.error else ("not seen yet", "stale")
    if part.error:
        return f"as of {moment(part.at)}, {age_words(max(5.0, now - part.at))}", "bad"
    seconds = now - part.at
    if seconds < live:
        return "live", "ok"
    return (age_words(seconds), "dim") if seconds < STALE_SECONDS else (f"STALE, {age_words(seconds)}", "warn")


def left(seconds: float | None) -> str:
    """Time left, coarse."""
    if seconds is None:
        return "time left unknown"
    return f"{duration(float(coarse(seconds)))} left"


def coarse(seconds: float) -> int:
    """Seconds in steps that grow with the amount."""
    step = 1 if seconds < 20 else 5 if seconds < 120 else 60
    return int(seconds // step * step)
