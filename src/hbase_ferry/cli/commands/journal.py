"""`hbase-ferry journal`: what happened, from the journal on disk. Connects to nothing."""

from __future__ import annotations

import time

from hbase_ferry.cli.events import EventPrinter
from hbase_ferry.cli.exits import ExitCode
from hbase_ferry.cli.output import Output
from hbase_ferry.cli.session import opened

FOLLOW_SECONDS = 1.0


def run(out: Output, config: str, follow: bool) -> ExitCode:
    """Prints every event; with `follow` also those to come, until Ctrl-C."""
    printer = EventPrinter(out)
    seen = _news(config, printer, 0)
    while follow:
        out.flush()
        time.sleep(FOLLOW_SECONDS)
        seen = _news(config, printer, seen)
    if not seen:
        out.talk("nothing has happened yet in this migration")
    return ExitCode.DONE


def _news(config: str, printer: EventPrinter, seen: int) -> int:
    """Prints the events after number `seen`; the journal is opened anew, as its file may appear at any time."""
    with opened(config) as ferry:
        for event in ferry.service.events(seen):
            printer.show(event)
            seen = event.number
    return seen
