"""`hbase-ferry demo`: the embedded pair, on the screen or as a whole crossing in events."""

from __future__ import annotations

import contextlib

from hbase_ferry.cli.exits import ExitCode
from hbase_ferry.cli.output import Output


def headless(out: Output, seed: int, tables: int, target: str = "hbase") -> ExitCode:
    """The whole crossing on a simulated clock. The same seed prints the same bytes."""
    from hbase_ferry import wiring
    from hbase_ferry.cli.crossing import Crossing, Wish
    from hbase_ferry.cli.session import stoppable

    ferry = wiring.demo(seed, tables=tables, target=target, stepping=True, acting=True)
    with contextlib.closing(ferry), stoppable(out) as stop:
        return Crossing(ferry.service, out, stop).run(Wish(confirmed=None))


def screen(seed: int, tables: int, target: str, acting: bool, theme: str, ascii_only: bool, mouse: bool) -> ExitCode:
    """The console on two simulated clusters with live writes."""
    from hbase_ferry import wiring
    from hbase_ferry.console import app

    with contextlib.closing(wiring.demo(seed, tables=tables, target=target, acting=acting)) as ferry:
        return ExitCode(app.run(ferry, theme=theme or None, ascii_only=ascii_only, mouse=mouse))
