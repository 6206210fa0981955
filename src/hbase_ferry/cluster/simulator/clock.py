"""A clock that only moves when it is told to. Headless demos and tests hand it to the world and to the service alike.

Invariant: `sleep` returns at once and `now` never goes back, so a run is a pure function of its calls.
"""

from __future__ import annotations

import threading


class SteppingClock:
    """Simulated epoch seconds; `sleep` advances them. Safe to use from several threads."""

    simulated = True

    def __init__(self, start: float) -> None:
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._now += max(0.0, seconds)
