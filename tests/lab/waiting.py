"""Waiting for what real servers show in their own time."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(true: Callable[[], object], seconds: float, what: str) -> None:
    """Looks ten times a second. Fails with `what` once the seconds are over."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.1)
