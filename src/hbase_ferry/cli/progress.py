"""Progress events as one line with share, rate and time left.

Invariant: the rate is measured between events of one run of one step, by the events' own clock; before a second
measurement there is no rate and no time left. Called by `cli.events`.
"""

from __future__ import annotations

from collections import deque

from hbase_ferry.insight.format import count, duration, percent, rate, size
from hbase_ferry.model.event import Event

WINDOW_SECONDS = 30.0


class Meter:
    """Rate and time left of the step that is under way."""

    def __init__(self) -> None:
        self._step = ""
        self._samples: deque[tuple[float, float]] = deque()

    def line(self, event: Event) -> str:
        """The progress line of a progress event."""
        done, total, unit = event.data.get("done"), event.data.get("total"), str(event.data.get("unit", ""))
        if not isinstance(done, int | float):
            return f"{event.step}: {event.text}"
        per_second = self._rate(event, float(done))
        parts = [f"{event.step}:"]
        if isinstance(total, int | float) and total > 0:
            parts += [percent(done / total), f"{_amount(done, unit)} of {_amount(total, unit)}"]
        else:
            parts.append(_amount(done, unit))
        if per_second:
            parts.append(rate(per_second, unit))
            if isinstance(total, int | float) and total > done:
                parts.append(f"{duration((total - done) / per_second)} left")
        return "  ".join([*parts, event.text])

    def _rate(self, event: Event, done: float) -> float | None:
        """Units a second over the last half minute; None: not measured, or it does not move."""
        if event.step != self._step or (self._samples and done < self._samples[-1][1]):
            self._step = event.step
            self._samples.clear()
        self._samples.append((event.at, done))
        while len(self._samples) > 2 and event.at - self._samples[0][0] > WINDOW_SECONDS:
            self._samples.popleft()
        (then, before), (now, after) = self._samples[0], self._samples[-1]
        return (after - before) / (now - then) if now > then and after > before else None


def _amount(value: float, unit: str) -> str:
    return size(value) if unit == "bytes" else f"{count(value)} {unit}".rstrip()
