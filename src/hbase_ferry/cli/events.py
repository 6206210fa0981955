"""Events as lines: one JSON object each with --json, else one line for people. Called by run, demo and journal."""

from __future__ import annotations

from collections.abc import Iterable

from hbase_ferry.cli.output import Output
from hbase_ferry.cli.progress import Meter
from hbase_ferry.insight.format import moment
from hbase_ferry.model.event import Event, EventKind


class EventPrinter:
    """Prints events; progress goes to stderr, and to stdout only as JSON."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._meter = Meter()

    def show(self, event: Event) -> None:
        """One event."""
        if self._out.as_json:
            self._out.record(event)
        if event.kind is EventKind.PROGRESS:
            self._out.progress(self._meter.line(event))
        elif not self._out.as_json:
            self._out.line(
                f"{moment(event.at)}  {event.kind.value:<12}  {event.step:<20}  {event.text}".rstrip()
            )

    def show_all(self, events: Iterable[Event]) -> None:
        """Every event of an action, as it comes."""
        for event in events:
            self.show(event)
