"""Rows of an instance: pages read, cells written, canary rows looked for.

Requests are built and read as plain protobuf messages: the client library's own wrappers cost several times as much.
Reading and writing may be repeated (every cell carries its time), so a request that found nobody is sent again within
the deadline. Called by `connect`.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hbase_ferry.cluster.bigtable import answers
from hbase_ferry.cluster.bigtable.calls import Ask
from hbase_ferry.cluster.bigtable.clients import Clients
from hbase_ferry.cluster.bigtable.library import DATA, EXCEPTIONS, library
from hbase_ferry.cluster.bigtable.merging import RowMerger
from hbase_ferry.cluster.bigtable.requests import SentCell, SentRow
from hbase_ferry.cluster.pages import Page
from hbase_ferry.model.event import Json

ENTRY_CELLS = 20_000
"""Cells of one row in one entry; the service takes 100 000 mutations in a whole request."""
REQUEST_CELLS = 50_000
REQUEST_BYTES = 8 * 1024 * 1024
"""A request ends once it has so many; one cell may be larger."""
PASSING = (4, 8, 10, 14)
"""gRPC codes of an entry that pass by themselves, as while tablets move: DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED,
ABORTED, UNAVAILABLE."""
PAGE_SECONDS = 30.0
"""A page ends after so long, or half of the deadline's rest, once it has rows, as the agent's does, or the service said
how far it has looked."""


def scan(clients: Clients, ask: Ask, given: Mapping[str, Any]) -> dict[str, Json]:
    """A page of `rows.scan`. Families that the table lacks have no cells: the service does not refuse them."""
    if given["stop"] and given["start"] >= given["stop"]:
        return Page(given).answer()
    return ask.again(lambda: _page(clients, ask, given))


def _page(clients: Clients, ask: Ask, given: Mapping[str, Any]) -> dict[str, Json]:
    page, till = Page(given), time.monotonic() + min(PAGE_SECONDS, ask.left() / 2)
    request = library(DATA).types.ReadRowsRequest.pb()(
        table_name=clients.table(given["table"]), app_profile_id=clients.app_profile, rows_limit=given["max_rows"]
    )
    span = request.rows.row_ranges.add()
    if given["start"]:
        span.start_key_closed = given["start"]
    if given["stop"]:
        span.end_key_open = given["stop"]
    _filter(request.filter, given["families"], given["versions"])
    merger, scanned = RowMerger(page.limit), b""
    with _responses(clients, ask, given["table"], request) as responses:
        for response in responses:
            _fill_page(page, merger, response.chunks, till)
            if not page.full and response.last_scanned_row_key:
                scanned = response.last_scanned_row_key
                page.ended = time.monotonic() > till
            if page.full:
                break
    return _beyond(page.answer(), scanned, given["stop"])


def _fill_page(page: Page, merger: RowMerger, chunks: Iterable[Any], till: float) -> None:
    """Rows are added until the page is full; what of the chunks is left over then is read again with the next one."""
    for chunk in chunks:
        row = merger.take(chunk)
        if row is not None:
            page.add(*row)
            page.ended = time.monotonic() > till
            if page.full:
                return


def _beyond(answer: dict[str, Json], scanned: bytes, stop: bytes) -> dict[str, Json]:
    """The page's answer, going on behind what the service looked through without a row that passes the filter: a scan
    for a family that few rows have gets nothing else for minutes (ReadRowsResponse.last_scanned_row_key)."""
    following = scanned + b"\0"
    if scanned and answer["next"] is not None and following > bytes.fromhex(str(answer["next"])):
        answer["next"] = None if stop and following >= stop else following.hex()
    return answer


def _filter(target: Any, families: Sequence[str], versions: int) -> None:
    """Fills a RowFilter: these families, the newest `versions` of each column (0: all)."""
    pattern = "|".join(re.escape(family) for family in families)
    if families and versions:
        target.chain.filters.add().family_name_regex_filter = pattern
        target.chain.filters.add().cells_per_column_limit_filter = versions
    elif families:
        target.family_name_regex_filter = pattern
    elif versions:
        target.cells_per_column_limit_filter = versions
    else:
        target.pass_all_filter = True


@contextlib.contextmanager
def _responses(clients: Clients, ask: Ask, table: str, request: Any) -> Iterator[Iterator[Any]]:
    """The responses of a ReadRows stream as plain messages; it is ended on the way out."""
    stream: Any = None

    def read() -> Iterator[Any]:
        for response in stream:
            yield type(response).pb(response)

    with ask.translating(f"table {table}", repeated=True):
        stream = clients.data.read_rows(request=_wrapped(request), timeout=ask.left(), retry=None)
        try:
            yield read()
        finally:
            stream.cancel()


def _wrapped(request: Any) -> Any:
    return getattr(library(DATA).types, request.DESCRIPTOR.name).wrap(request)


# ---- writing


def write(clients: Clients, ask: Ask, table: str, rows: Sequence[SentRow]) -> dict[str, Json]:
    """Sets every cell. What the service refuses becomes one error that names the first row; the others are written."""
    refused: list[tuple[bytes, int, str]] = []
    for entries in _requests(rows):
        refused += ask.again(lambda entries=entries: _send(clients, ask, table, entries))  # type: ignore[misc]
    if refused:
        key, code, text = refused[0]
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        raise ask.refusal(f"row {_shown(key)} of table {table}{more}", _class_of(code), text)
    cells = sum(len(row[1]) for row in rows)
    return answers.done(f"{len(rows)} rows, {cells} cells") if cells else answers.same("nothing to write")


def _requests(rows: Sequence[SentRow]) -> Iterator[list[SentRow]]:
    """Runs of entries that fit one request each. A long row is several entries: each cell stands for itself."""
    batch: list[SentRow] = []
    cells = size = 0
    for key, row in rows:
        for at in range(0, len(row), ENTRY_CELLS):
            entry = row[at : at + ENTRY_CELLS]
            weight = sum(len(cell[1]) + len(cell[3]) for cell in entry)
            if batch and (cells + len(entry) > REQUEST_CELLS or size + weight > REQUEST_BYTES):
                yield batch
                batch, cells, size = [], 0, 0
            batch.append((key, entry))
            cells += len(entry)
            size += weight
    if batch:
        yield batch


def _send(clients: Clients, ask: Ask, table: str, entries: Sequence[SentRow]) -> list[tuple[bytes, int, str]]:
    """Key, gRPC code and text of every entry that was refused."""
    request = library(DATA).types.MutateRowsRequest.pb()(
        table_name=clients.table(table), app_profile_id=clients.app_profile
    )
    for key, cells in entries:
        _fill(request.entries.add(row_key=key), cells)
    refused, answered = [], set()
    with ask.translating(f"table {table}", repeated=True):
        stream = clients.data.mutate_rows(request=_wrapped(request), timeout=ask.left(), retry=None)
        for response in stream:
            for entry in type(response).pb(response).entries:
                answered.add(entry.index)
                if entry.status.code:
                    refused.append((entries[entry.index][0], entry.status.code, entry.status.message))
    passing = [text for _, code, text in refused if code in PASSING]
    if passing or len(answered) < len(entries):
        why = passing[0] if passing else f"{len(entries) - len(answered)} rows were not answered"
        raise ask.passes(f"table {table}", why, "; nothing is known of these rows, they are written again")
    return refused


def _fill(entry: Any, cells: Sequence[SentCell]) -> None:
    for cell in cells:
        put = entry.mutations.add().set_cell
        put.family_name, put.column_qualifier, put.timestamp_micros, put.value = cell


def _class_of(code: int) -> str:
    """google-api-core's class for a gRPC code."""
    return type(library(EXCEPTIONS).from_grpc_status(code, "")).__name__


def _shown(key: bytes) -> str:
    return key.hex() if len(key) <= 40 else key[:40].hex() + "…"


# ---- canary rows


def canaries(clients: Clients, ask: Ask, table: str, rows: Sequence[bytes]) -> dict[str, Json]:
    """Which of the rows are there."""
    there = ask.again(lambda: _present(clients, ask, table, rows))
    return answers.items([answers.canary(row, present=row in there) for row in rows], len(rows))


def _present(clients: Clients, ask: Ask, table: str, rows: Sequence[bytes]) -> set[bytes]:
    request = library(DATA).types.ReadRowsRequest.pb()(
        table_name=clients.table(table), app_profile_id=clients.app_profile
    )
    # a request without keys would read the whole table; the empty key is no row
    request.rows.row_keys.extend(sorted(set(rows)) or [b"\0"])
    request.filter.chain.filters.add().cells_per_row_limit_filter = 1
    request.filter.chain.filters.add().strip_value_transformer = True
    with _responses(clients, ask, table, request) as responses:
        return {bytes(chunk.row_key) for response in responses for chunk in response.chunks if chunk.row_key}
