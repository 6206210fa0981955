"""Real servers for the benchmarks: the lab that runs, else one small server of its own; and one-shot JVMs on them.

A one-shot is what every typed shell command costs: `org.jruby.Main` starts in a new JVM, connects, answers one
call and ends. It is the agent itself that is started, so both sides of a ratio run the same Ruby. Called by `agent`
and `crossing`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from bench.machine import Skipped
from hbase_ferry.cluster.client import Cluster
from hbase_ferry.cluster.connection import connect
from hbase_ferry.migration.settings import SideSettings
from hbase_ferry.model.clock import SystemClock
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Json
from lab import Lab, LabError, standalone


def the_lab() -> Lab:
    """The lab that `make lab` started. Raises Skipped."""
    try:
        return Lab.attach()
    except LabError as error:
        raise Skipped(str(error)) from error


@contextlib.contextmanager
def some_server() -> Iterator[tuple[str, SideSettings]]:
    """The lab's source, or a standalone 2.4.18, with its name. Raises Skipped where neither can be had."""
    with contextlib.ExitStack() as stack:
        try:
            lab = Lab.attach()
            own = "the lab's source", lab.source.hbase, lab.source.env, str(lab.source.work_dir)
        except LabError:
            try:
                server = stack.enter_context(standalone("2.4.18"))
            except LabError as error:
                raise Skipped(str(error)) from error
            own = "a standalone server", server.hbase, server.env, str(server.work_dir)
        name, hbase, env, work_dir = own
        yield name, SideSettings(name=name, hbase=(hbase,), env=env, work_dir=work_dir)


def opened(side: SideSettings, which: Side = Side.SOURCE) -> Cluster:
    """A cluster behind an agent that starts with the first call."""
    return Cluster(which, side.name, partial(connect, side), SystemClock())


def one_shot(
    side: SideSettings, method: str, params: Mapping[str, Json], which: Side = Side.SOURCE, pinned: str = ""
) -> tuple[float, Any]:
    """Seconds from starting a JVM to the typed answer of one call in it, and the answer."""
    cluster = opened(side, which)
    if pinned:
        cluster.pin(pinned)
    begun = time.monotonic()
    try:
        answer = cluster.call(method, params)
        return time.monotonic() - begun, answer
    finally:
        cluster.close()
