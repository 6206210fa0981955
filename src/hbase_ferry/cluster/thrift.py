"""Rows of one cluster through its Thrift1 server, for samples. Only this module imports happybase, and only when used.

Invariant: each reader has a connection of its own, every call ends within its timeout, and whatever breaks becomes
Unreachable with the server's address. A Thrift server does not say how it frames and encodes: the four combinations are
tried, the default first. A mismatch is silent or closes the connection (measured: a framed client hangs on the default
server). Built by `wiring`, called by `migration.sampling`.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hbase_ferry.errors import AgentError, FerryError, Unreachable
from hbase_ferry.model.text import safe_text

PROBE_SECONDS = 5.0
"""How long one combination may take to answer; two rounds at most, the default alone and the others together. The
first call of a server that has just started took over 3 s on a busy machine."""
CALL_SECONDS = 15.0
"""How long one call may take after that."""
IO_ERROR = "org.apache.hadoop.hbase.thrift.generated.IOError"

Cells = Mapping[bytes, tuple[bytes, int]]
"""`family:qualifier` -> (value, timestamp in ms), newest version only."""


@dataclass(frozen=True)
class Speech:
    """How a server talks: `transport` buffered | framed, `protocol` binary | compact."""

    transport: str
    protocol: str

    def __str__(self) -> str:
        return f"{self.transport} {self.protocol}"


DEFAULT = Speech("buffered", "binary")
OTHERS = (Speech("framed", "compact"), Speech("framed", "binary"), Speech("buffered", "compact"))


class ThriftRows:
    """Reads rows through one Thrift1 server. Not for several threads at once."""

    def __init__(
        self,
        name: str,
        address: str,
        *,
        probe_seconds: float = PROBE_SECONDS,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        """`name`: the cluster's, for messages. `address`: host:port. Nothing connects before `open`."""
        host, _, port = address.rpartition(":")
        self.name, self.address = name, address
        self._host, self._port = host.strip("[]"), int(port)
        self._probe_seconds, self._call_seconds = probe_seconds, call_seconds
        self._connection: Any = None
        self.speech: Speech | None = None
        "what answered, once `open` returned"

    @property
    def told(self) -> str:
        """Where it reads and how, for people."""
        return f"{self.address} ({self.speech or 'not connected'})"

    def open(self) -> Speech:
        """Connects and finds out how the server talks. Raises Unreachable within two probe times."""
        self._reach()
        why = self._try(DEFAULT)
        if why is None:
            return self._open_as(DEFAULT)
        answers = {DEFAULT: why}
        for speech, failed in self._all_others():
            if failed is None:
                return self._open_as(speech)
            answers[speech] = failed
        tried = "; ".join(f"{speech}: {text}" for speech, text in answers.items())
        raise Unreachable(
            f"{self.name}: something listens at {self.address}, but no Thrift1 server of HBase answered ({tried}): "
            f"check the port, and that the server is `hbase thrift` and not thrift2 or http"
        )

    def _all_others(self) -> Iterator[tuple[Speech, str | None]]:
        """The other combinations side by side, each as it comes to its end: a silent one keeps nobody waiting."""
        ended: queue.SimpleQueue[tuple[Speech, str | None]] = queue.SimpleQueue()
        for speech in OTHERS:
            name = f"thrift {speech}"
            threading.Thread(target=lambda s=speech: ended.put((s, self._try(s))), name=name, daemon=True).start()
        for _ in OTHERS:
            yield ended.get()

    def close(self) -> None:
        """Closes the connection. Never raises."""
        connection, self._connection = self._connection, None
        with contextlib.suppress(Exception):
            if connection is not None:
                connection.close()

    # ---- reads

    def regions(self, table: str) -> tuple[tuple[bytes, bytes], ...]:
        """(start key, end key) of every region, in order; empty keys at the table's ends. Raises as all reads do:
        Unreachable, and AgentError for what HBase refuses (no such table: it has no regions)."""
        found = self._ask(lambda: self._table(table).regions())
        if not found:
            raise AgentError(IO_ERROR, f"{table} has no regions: there is no such table", cluster=self.name)
        return tuple(sorted((bytes(r["start_key"]), bytes(r["end_key"])) for r in found))

    def keys(
        self, table: str, start: bytes, stop: bytes, limit: int, families: Sequence[str] = ()
    ) -> tuple[bytes, ...]:
        """The first `limit` row keys from `start` (included) to `stop` (excluded, empty: the end) that hold a cell of
        `families` (none named: of any)."""
        return self._scan(table, limit, families, row_start=start, row_stop=stop or None)

    def last(self, table: str, families: Sequence[str] = ()) -> bytes | None:
        """The last row key that holds a cell of `families`; None: the table is empty."""
        return next(iter(self._scan(table, 1, families, reverse=True)), None)

    def _scan(self, table: str, limit: int, families: Sequence[str], **more: Any) -> tuple[bytes, ...]:
        scan = {
            "columns": _columns(families),
            "filter": b"FirstKeyOnlyFilter() AND KeyOnlyFilter()",
            "batch_size": limit,
            "limit": limit,
            **more,
        }
        return tuple(self._ask(lambda: [row for row, _ in self._table(table).scan(**scan)]))

    def rows(self, table: str, keys: Sequence[bytes], families: Sequence[str] = ()) -> Mapping[bytes, Cells]:
        """Every cell's newest version of these rows; a row without one is left out."""
        found = self._ask(
            lambda: self._table(table).rows(list(keys), columns=_columns(families), include_timestamp=True)
        )
        return {row: cells for row, cells in found if cells}

    # ---- inside

    def _table(self, table: str) -> Any:
        if self._connection is None:
            raise Unreachable(f"{self.name}: not connected to the Thrift server at {self.address}")
        return self._connection.table(table)

    def _ask(self, call: Any) -> Any:
        """One call's answer; what goes wrong is translated, and a broken connection is not used again."""
        try:
            return call()
        except FerryError:
            raise
        except Exception as error:
            if _is_refusal(error):
                raise _refused(self.name, error) from error
            self.close()
            raise Unreachable(
                f"{self.name}: the Thrift server at {self.address} broke off: {_told(error)}; run the sample again"
            ) from error

    def _reach(self) -> None:
        """Whether anything listens: a closed port needs no four attempts."""
        try:
            socket.create_connection((self._host, self._port), timeout=self._probe_seconds).close()
        except OSError as error:
            raise Unreachable(f"{self.name}: no Thrift server at {self.address}: {_told(error)}") from error

    def _try(self, speech: Speech) -> str | None:
        """Why the server does not talk so; None: it does."""
        connection = None
        try:
            connection = _connect(self._host, self._port, speech, self._probe_seconds)
            connection.open()
            connection.client.isTableEnabled(b"hbase:meta")
        except Exception as error:  # a foreign server makes the decoder raise anything
            return None if _is_refusal(error) else _told(error)  # HBase's own refusal: it was understood
        finally:
            with contextlib.suppress(Exception):
                if connection is not None:
                    connection.close()
        return None

    def _open_as(self, speech: Speech) -> Speech:
        connection = _connect(self._host, self._port, speech, self._call_seconds)
        try:
            connection.open()
        except Exception as error:
            raise Unreachable(f"{self.name}: no Thrift server at {self.address}: {_told(error)}") from error
        self._connection, self.speech = connection, speech
        return speech


def _connect(host: str, port: int, speech: Speech, seconds: float) -> Any:
    import happybase

    return happybase.Connection(
        host,
        port,
        timeout=round(seconds * 1000),
        autoconnect=False,
        transport=speech.transport,
        protocol=speech.protocol,
    )


def _columns(families: Sequence[str]) -> list[bytes] | None:
    return [family.encode() for family in families] or None


def _is_refusal(error: BaseException) -> bool:
    """Whether it is Hbase.thrift's IOError: what every Java exception becomes. happybase loads that module."""
    return type(error).__name__ == "IOError" and type(error).__module__ == "Hbase_thrift"


def _refused(name: str, error: Any) -> AgentError:
    """Thrift1 sends a Java exception as one text its first line says enough."""
    text = error.message if isinstance(error.message, str) else bytes(error.message or b"").decode(errors="replace")
    return AgentError(IO_ERROR, safe_text(text.strip().split("\n", 1)[0], 300), cluster=name)


def _told(error: BaseException) -> str:
    text = getattr(error, "message", None) or str(error) or type(error).__name__
    if isinstance(error, TimeoutError):
        text = "no answer in time"
    return safe_text(text if isinstance(text, str) else repr(text), 200)
