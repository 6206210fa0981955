"""Rows through Thrift: whatever way the server talks is found out, and whatever breaks is told within seconds."""

from __future__ import annotations

import socket
import time

import pytest

from cluster.thrift_server import Handler, silent_server, thrift_server
from hbase_ferry.cluster.thrift import Speech, ThriftRows
from hbase_ferry.errors import AgentError, Unreachable

ORDERS = {
    b"a1": {b"d:v": (b"one", 11), b"m:w": (b"x", 12)},
    b"b2": {b"d:v": (b"\x00\xff", 21)},
    b"c3": {b"m:w": (b"y", 31)},
}
WAYS = [Speech(t, p) for t in ("buffered", "framed") for p in ("binary", "compact")]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_the_way_a_server_talks_is_found_out(way: Speech) -> None:
    with thrift_server(Handler({b"shop:orders": ORDERS}, (b"b",)), way.transport, way.protocol) as address:
        rows = ThriftRows("prod", address, probe_seconds=1.0)
        assert rows.open() == way
        assert str(way) in rows.told and address in rows.told
        assert rows.regions("shop:orders") == ((b"", b"b"), (b"b", b""))
        assert rows.keys("shop:orders", b"b", b"", 1) == (b"b2",)
        assert rows.keys("shop:orders", b"", b"b", 5) == (b"a1",)
        assert rows.last("shop:orders") == b"c3"
        assert rows.rows("shop:orders", [b"a1", b"b2", b"zz"]) == {k: ORDERS[k] for k in (b"a1", b"b2")}
        assert rows.rows("shop:orders", [b"a1", b"c3"], ["d"]) == {b"a1": {b"d:v": (b"one", 11)}}
        rows.close()


def test_what_hbase_refuses_is_one_line_with_the_clusters_name() -> None:
    with thrift_server(Handler({})) as address:
        rows = ThriftRows("prod", address)
        rows.open()
        with pytest.raises(AgentError) as refused:
            rows.rows("nope", [b"a"])
        assert str(refused.value) == "prod: IOError: org.apache.hadoop.hbase.TableNotFoundException: nope"
        rows.close()


def test_a_closed_port_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"127.0.0.1:{gone.getsockname()[1]}"
    begun = time.monotonic()
    with pytest.raises(Unreachable, match=f"prod: no Thrift server at {address}: .*refused"):
        ThriftRows("prod", address).open()
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x7f\xff\xff\xff\x80\x01\x00\x02"],
    ids=["silent", "http", "a huge frame"],
)
def test_a_server_that_is_not_thrift_is_told_within_two_probe_times(answer: bytes) -> None:
    with silent_server(answer) as address:
        begun = time.monotonic()
        with pytest.raises(Unreachable, match="no Thrift1 server of HBase answered") as told:
            ThriftRows("prod", address, probe_seconds=0.5).open()
        assert time.monotonic() - begun < 4
        assert all(str(way) in str(told.value) for way in WAYS)


def test_a_server_that_goes_away_or_stops_answering_is_told_by_name() -> None:
    handler = Handler({b"t": ORDERS})
    with thrift_server(handler) as address:
        rows = ThriftRows("prod", address, call_seconds=0.5)
        rows.open()
        handler.getRowsWithColumns = lambda *_: time.sleep(2)  # type: ignore[method-assign,assignment]
        with pytest.raises(Unreachable, match=f"prod: the Thrift server at {address} broke off: .*time"):
            rows.rows("t", [b"a1"])
        with pytest.raises(Unreachable, match="not connected"):
            rows.rows("t", [b"a1"])
