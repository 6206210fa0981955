"""A Thrift1 server of HBase in this process: happybase's own interface over a dictionary, in any of the four ways."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator
from typing import Any

import happybase
from happybase.connection import THRIFT_PROTOCOLS, THRIFT_TRANSPORTS
from thriftpy2.thrift import TProcessor
from thriftpy2.transport import TSocket

hbase = sys.modules["Hbase_thrift"]
Table = dict[bytes, dict[bytes, tuple[bytes, int]]]


class Handler:
    """`tables` by name; `splits`: region start keys after the first."""

    def __init__(self, tables: dict[bytes, Table], splits: tuple[bytes, ...] = ()) -> None:
        self.tables, self.splits = tables, splits
        self._scans: dict[int, list[bytes]] = {}

    def _table(self, name: bytes) -> Table:
        if name not in self.tables:
            raise hbase.IOError(
                message=f"org.apache.hadoop.hbase.TableNotFoundException: {name.decode()}\n\tat Foo"
            )
        return self.tables[name]

    def isTableEnabled(self, name: bytes) -> bool:
        return True

    def getTableRegions(self, name: bytes) -> list[Any]:
        starts = (b"", *self.splits)
        ends = (*self.splits, b"")
        return [hbase.TRegionInfo(startKey=a, endKey=b) for a, b in zip(starts, ends, strict=True)]

    def getRowsWithColumns(
        self, name: bytes, rows: list[bytes], columns: list[bytes], attributes: Any
    ) -> list[Any]:
        table = self._table(name)
        found = []
        for row in rows:
            cells = {
                c: v for c, v in table.get(row, {}).items() if not columns or c.split(b":")[0] in columns
            }
            shown = {c: hbase.TCell(value=v, timestamp=ts) for c, (v, ts) in cells.items()}
            found.append(hbase.TRowResult(row=row, columns=shown))
        return found

    def getRows(self, name: bytes, rows: list[bytes], attributes: Any) -> list[Any]:
        return self.getRowsWithColumns(name, rows, [], attributes)

    def scannerOpenWithScan(self, name: bytes, scan: Any, attributes: Any) -> int:
        stop = scan.stopRow or b"\xff" * 20
        number = len(self._scans) + 1
        keys = sorted(self._table(name), reverse=bool(scan.reversed))
        self._scans[number] = [k for k in keys if scan.reversed or (scan.startRow or b"") <= k < stop]
        return number

    def scannerGetList(self, number: int, most: int) -> list[Any]:
        keys = self._scans[number][:most]
        self._scans[number] = self._scans[number][most:]
        return [hbase.TRowResult(row=key, columns={}) for key in keys]

    def scannerClose(self, number: int) -> None:
        self._scans.pop(number)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def _names_as_text(speech: Any) -> None:
    """thriftpy2's compact protocol reads method names as bytes where values are to stay bytes."""
    read = speech.read_message_begin

    def begin() -> tuple[str, int, int]:
        name, kind, number = read()
        return name.decode(), kind, number

    speech.read_message_begin = begin


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextlib.contextmanager
def thrift_server(handler: Handler, transport: str = "buffered", protocol: str = "binary") -> Iterator[str]:
    """host:port of a server that talks like that and closes what it cannot read, as HBase's does."""
    processor = TProcessor(happybase.connection.Hbase, handler)

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            end = TSocket()
            end.set_handle(self.request)
            through = THRIFT_TRANSPORTS[transport](end)
            speech = THRIFT_PROTOCOLS[protocol](through, decode_response=False)
            if protocol == "compact":
                _names_as_text(speech)
            with contextlib.suppress(Exception):
                while True:
                    processor.process(speech, speech)

    with _Server(("127.0.0.1", 0), Connection) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@contextlib.contextmanager
def silent_server(answer: bytes = b"") -> Iterator[str]:
    """host:port of something that accepts, says `answer` and then nothing more."""
    kept: list[socket.socket] = []

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            kept.append(self.request.dup())
            if answer:
                self.request.sendall(answer)
                kept.pop().close()

    class Server(_Server):
        def shutdown_request(self, request: Any) -> None:
            request.close()

    with Server(("127.0.0.1", 0), Connection) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            for each in kept:
                each.close()
