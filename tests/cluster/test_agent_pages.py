"""The agent's reading of servers' information pages, in its own JVM, against pages that misbehave.

The agent runs whole, on the class path of the lab's HBase line; only the list of its cluster's servers is replaced by
HTTP servers of this test. The contract suite reads the pages of real servers.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from lab.crossing import EXCLUDED
from test_agent_ruby import AGENT

from hbase_ferry.cluster.connection import AgentConnection
from hbase_ferry.model.event import Json
from hbase_ferry.remote.local import LocalMachine
from lab import Unavailable, jars

pytestmark = pytest.mark.lab

LAB = Path(__file__).parents[2] / "lab"
CONF: dict[str, Any] = {
    "properties": [
        {"key": "plain", "value": 'a "quoted" {value}', "isFinal": False, "resource": "hbase-site.xml"},
        {"key": "decoy", "value": '{"key":"secret","value":"no"}', "isFinal": False, "resource": "x"},
        {"key": "secret", "value": "s3cret", "isFinal": False, "resource": "x"},
        {"key": "nothing", "value": None, "isFinal": False, "resource": "x"},
        {"key": "empty", "value": "", "isFinal": False, "resource": "x"},
    ]
}
BEANS: dict[str, Any] = {
    "Hadoop:service=HBase,name=RegionServer,sub=Replication": {
        "source.p.shippedOps": 2**40, "source.p-dead,1,1.shippedOps": "17", "source.p.shippedBytes": 1,
        "Source.p.age_mean": 1.5, "shippedOps": "text",
    },
    "java.lang:type=Runtime": {"ClassPath": "/conf:/lib/b-2.jar:/lib/a-1.jar:/other/a-1.jar:/a/c.jar:/lib/a"},
}  # fmt: skip
ASKED: dict[str, Json] = {
    "settings": ["plain", "secret", "?secret", "nothing", "?empty", "absent"], "metrics": ["shippedOps"],
    "jars": ["a-", "b"], "max": 1000,
}  # fmt: skip

Answer = Callable[[BaseHTTPRequestHandler], None]


def text_of(path: str, spaces: bool) -> str:
    layout: dict[str, Any] = {"indent": 1} if spaces else {"separators": (",", ":")}
    if path.startswith("/conf"):
        return json.dumps(CONF, **layout)
    name = path.partition("?qry=")[2]
    return json.dumps({"beans": [{"name": name, **BEANS[name]}] if name in BEANS else []}, **layout)


def good(handler: BaseHTTPRequestHandler, spaces: bool = False) -> None:
    body = text_of(handler.path, spaces).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def spaced(handler: BaseHTTPRequestHandler) -> None:
    good(handler, spaces=True)


def html(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b"<html>log in</html>")


def refused(handler: BaseHTTPRequestHandler) -> None:
    handler.send_error(403, "Users with view permission only")


def pouring(handler: BaseHTTPRequestHandler) -> None:
    """More than any page holds."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(40):
        handler.wfile.write(b" " * 1_000_000)


class Drip:
    """A byte a second, for as long as the test lasts: no pause between two is long enough to be a timeout."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not self.over.wait(1.0):
            handler.wfile.write(b" ")
            handler.wfile.flush()


@contextmanager
def serving(answer: Answer) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):  # the agent had enough
                answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def silent() -> Iterator[int]:
    """Accepts, and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


@contextmanager
def agent(places: list[tuple[str, str, int]], folder: Path) -> Iterator[AgentConnection]:
    """The agent, for a cluster of these servers: (name, role, port of its pages)."""
    try:
        jars.require_tools()
        library = jars.class_path(LAB / "poms" / "hbase.xml", EXCLUDED)
    except Unavailable as error:
        pytest.skip(f"no HBase jars: {error}")
    text = AGENT.read_text()
    assert text.count("def page_places\n") == 1
    script = folder / "agent.rb"
    given = json.dumps([list(place) for place in places])
    script.write_text(text.replace("def page_places\n", f"def page_places\n  return {given}\n"))
    java = ["java", f"@{LAB / 'etc' / 'jvm.opts'}", "-Xmx192m", "-cp", f"{library}/*", "org.jruby.Main"]
    channel = LocalMachine().start([*java, str(script), "n"], {})
    connection = AgentConnection(channel, "n", "agent")
    try:
        yield connection
    finally:
        connection.close()


def read(connection: AgentConnection) -> dict[str, dict[str, Any]]:
    answer: Any = connection.call("servers.read", ASKED, 60)
    return {item["server"]: item for item in answer["items"]}


def test_pages_that_misbehave_are_named_and_delay_no_other(tmp_path: Path) -> None:
    drip = Drip()
    with ExitStack() as stack:
        serve = {name: stack.enter_context(serving(answer)) for name, answer in (
            ("good", good), ("spaced", spaced), ("html", html), ("refused", refused), ("pouring", pouring),
            ("drip", drip),
        )}  # fmt: skip
        stack.callback(drip.over.set)
        ports = {**serve, "silent": stack.enter_context(silent()), "closed": 1, "off": -1}
        places = [("127.0.0.1,1,master", "master", serve["good"])]
        places += [(f"127.0.0.1,1,{number}", "region server", ports["silent"]) for number in range(100)]
        places += [(f"127.0.0.1,1,{name}", "region server", port) for name, port in ports.items()]
        connection = stack.enter_context(agent(places, tmp_path))
        began = time.monotonic()
        found = {name.split(",")[2]: item for name, item in read(connection).items()}
        took = time.monotonic() - began
    settings = {"plain": 'a "quoted" {value}', "secret": "s3cret", "?secret": "(set)"}
    metrics = {"source.p.shippedOps": 2**40, "source.p-dead,1,1.shippedOps": 17}
    for name in ("good", "spaced"):
        item = found[name]
        assert (item["settings"], item["metrics"], item["jars"]) == (settings, metrics, ["a-1.jar", "b-2.jar"]), name
    assert (found["master"]["settings"], found["master"]["metrics"], found["master"]["error"]) == (settings, {}, "")
    expected = {
        "html": '/conf is not the JSON it should be: it begins with "<html>log in',
        "refused": "/conf?format=json answered 403 Users with view",
        "pouring": "is longer than 16777216 bytes", "drip": "took longer than 10 s", "closed": "ConnectException: Conn",
        "silent": "SocketTimeoutException", "off": "it serves none: hbase.regionserver.info.port is off",
    }  # fmt: skip
    for name, words in expected.items():
        where = "" if name == "off" else f" at http://127.0.0.1:{ports[name]}"
        start = f"the information pages of region server 127.0.0.1,1,{name}{where} could not be read: "
        assert found[name]["error"].startswith(start) and words in found[name]["error"], found[name]["error"]
        assert (found[name]["settings"], found[name]["metrics"], found[name]["jars"]) == ({}, {}, [])
    assert all("SocketTimeoutException" in found[str(number)]["error"] for number in range(100))
    assert took < 25, "a silent page costs 3 s and the slowest 10 s, 64 of them at a time"
