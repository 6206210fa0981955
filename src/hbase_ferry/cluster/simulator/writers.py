"""The applications: they put, overwrite and delete rows of one table at a rate, and follow when they are switched.

The rows they touch are a tenth of the table and some new ones, spread over every region, so a long demo stays small.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from hbase_ferry.cluster.simulator.cluster import DELETE_BYTES, SimCluster
from hbase_ferry.cluster.simulator.rows import insertable
from hbase_ferry.cluster.simulator.tables import SimTable
from hbase_ferry.cluster.simulator.wal import DELETE, PUT, pack
from hbase_ferry.model.cluster import Side

DELETES = 0.10
INSERTS = 0.15
BOTH_FAMILIES = 0.25
Take = Callable[[SimTable, int, int, int, int], None]
"""Takes a write elsewhere: the table whose rows are known, row, operation, families, epoch ms."""


class Writer:
    """One application. `side`: the cluster it talks to; None: stopped."""

    def __init__(self, table: str, rate: float, seed: str) -> None:
        self.table = table
        self.rate = rate
        self.side: Side | None = Side.SOURCE
        self.written = 0
        self._random = random.Random(seed)
        self._carry = 0.0

    def tick(self, cluster: SimCluster, now_ms: int, tick_ms: int, elsewhere: Take | None = None) -> None:
        """The writes of one tick, in the order of their timestamps. `elsewhere`: what they go to instead of `cluster`,
        whose table then only says which rows there are."""
        table = cluster.tables.get(self.table)
        if table is None or not table.enabled or cluster.full:
            return
        self._carry += self.rate * tick_ms / 1000
        count = int(self._carry)
        self._carry -= count
        start = now_ms - tick_ms + cluster.skew_ms
        for index in range(count):
            self._write(cluster, table, start + (index + 1) * tick_ms // count, elsewhere)

    def _write(self, cluster: SimCluster, table: SimTable, ts: int, elsewhere: Take | None) -> None:
        draw = self._random.random
        what, where = draw(), draw()
        loaded = table.loaded
        row = loaded + int(where * insertable(loaded)) if what > 1 - INSERTS else int(where * (loaded // 10)) * 10
        region = table.region_of(row)
        server = cluster.servers[region.server]
        if not server.alive:
            return
        self.written += 1
        if elsewhere is not None:
            elsewhere(table, row, DELETE if what < DELETES else PUT, table.all_mask, ts)
            return
        region.writes += 1
        if what < DELETES:
            families = table.all_mask
            server.wal.append(ts, pack(row, DELETE, families, region.scopes & families, table.number), DELETE_BYTES)
            table.rows.delete(row, families, ts)
            return
        families = table.all_mask if draw() < BOTH_FAMILIES else 1
        size = table.edit_bytes
        server.wal.append(ts, pack(row, PUT, families, region.scopes & families, table.number), size)
        table.rows.put(row, families, ts, ts)
        table.unflushed += size
