"""One side's rows of a range, page by page in key order, the next ones read while the present one is used.

Invariant: of a side never more than `1 + AHEAD` pages are held, whatever the size of the table; rows come in rising
key order, and an answer in another order is BadAnswer, since a comparison of it would find differences that are none.
Called by `compare.engine` and `compare.copying`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from hbase_ferry.errors import BadAnswer
from hbase_ferry.migration.core import Caller
from hbase_ferry.migration.sampling import CANARY
from hbase_ferry.model.clock import Clock, SystemClock
from hbase_ferry.model.cluster import Family
from hbase_ferry.model.rows import Cell, RowPage

PAGE_ROWS = 1_000
PAGE_BYTES = 2_000_000
"""Of keys and values, and of what very many cells cost beside them (`model.rows.measured`): the answer fits one line of
the wire. A row above four times that is only named."""
ROW_BYTES = 4_000_000
"""The same where one row is asked for alone: above four times that it is neither compared nor copied."""

AHEAD = 2
"""Pages that are read ahead: the sides take their time in turn, and neither is to wait for the other."""

Cells = tuple[Cell, ...]
Item = tuple[str, Cells | None]
"""A row's key and cells; None: the row exists and is too large to be answered."""

_CANARY_HEX = CANARY.hex()


@dataclass(frozen=True)
class Reading:
    """What is read of both sides alike, and how."""

    table: str
    families: tuple[str, ...] = ()
    versions: int = 0
    kept: Mapping[str, Family] = field(default_factory=dict)
    "the source's families by name"
    clock: Clock = field(default_factory=SystemClock)
    values: str = "digest"
    page_rows: int = PAGE_ROWS
    page_bytes: int = PAGE_BYTES


def read_page(side: Caller, reading: Reading, start: str, stop: str, rows: int) -> RowPage:
    """One call of `rows.scan`. Raises AgentError, Unreachable; BadAnswer where the answer does not lead on."""
    page: RowPage = side.call(
        "rows.scan",
        {
            "table": reading.table,
            "families": list(reading.families),
            "start": start,
            "stop": stop,
            "max_rows": rows,
            "max_bytes": reading.page_bytes,
            "versions": reading.versions,
            "values": reading.values,
        },
    )
    if page.next is not None and page.next <= start:
        raise BadAnswer(f"{side.name}: rows.scan of {reading.table} from {start} goes on at {page.next}: not after it")
    return page


class Stream:
    """At most `rows` rows of one side from `start` on, read ahead by a thread that ends with the `with` block. Iterate
    once."""

    def __init__(self, side: Caller, reading: Reading, start: str, rows: int) -> None:
        self._side, self._reading, self._start = side, reading, start
        self._at: str | None = start
        self._left = rows
        self.end: str | None = start
        "first key that was not read; None: the table is read to its end. Known once the iteration is over"
        self._pool = ThreadPoolExecutor(1, "rows")
        self._ahead = deque(self._pool.submit(self._read) for _ in range(AHEAD))

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *failure: object) -> None:
        self._at = None
        self._pool.shutdown(cancel_futures=True)

    def _read(self) -> RowPage | None:
        """The next page; None: there is none. Only the stream's own thread is here."""
        start, self._at = self._at, None
        if start is None or self._left <= 0:
            return None
        page = read_page(self._side, self._reading, start, "", min(self._reading.page_rows, self._left))
        self._left -= len(page.rows) + len(page.skipped)
        self._at = page.next
        return page

    def pages(self) -> Iterator[RowPage]:
        """The pages; asking for one lets go of the one before."""
        while (page := self._ahead.popleft().result()) is not None:
            self._ahead.append(self._pool.submit(self._read))
            self.end = page.next
            yield page
            del page

    def __iter__(self) -> Iterator[Item]:
        last = None
        for page in self.pages():
            for key, cells in in_order(page):
                if key < self._start or (last is not None and key <= last):
                    raise BadAnswer(
                        f"{self._side.name}: rows.scan of {self._reading.table} answered row {key} after {last}"
                    )
                last = key
                if _CANARY_HEX not in key or not is_canary(key):
                    yield key, cells
            del page


def in_order(page: RowPage) -> Iterator[Item]:
    """The page's rows and those it skipped, in key order."""
    if not page.skipped:
        yield from page.rows
        return
    skipped: list[Item] = [(key, None) for key in page.skipped]
    yield from sorted([*page.rows, *skipped], key=lambda item: item[0])


def is_canary(key_hex: str) -> bool:
    """Whether it is a row of this product's own, which comes and goes."""
    return CANARY in bytes.fromhex(key_hex)
