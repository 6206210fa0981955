"""One connection to one agent: JSON-RPC over a Channel, for many threads at once. Implements `wire.Wire`.

Invariant: a line counts only with this connection's nonce; every call ends by its own deadline; an answer that comes
after it is dropped; a peer that is silent for `ping_deadline` although asked is gone, and every waiting call learns
it. Called by `cluster.client` (through `connect`, which `wiring` hands to it).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import queue
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files

from hbase_ferry.cluster.wire import METHODS, Hello
from hbase_ferry.errors import AgentError, BadAnswer, DeadlineExceeded, FerryError, Unreachable
from hbase_ferry.migration.settings import SideSettings, TransportKind
from hbase_ferry.model.event import Json
from hbase_ferry.model.text import safe_text
from hbase_ferry.remote.channel import Channel, Machine, Tail
from hbase_ferry.remote.local import LocalMachine

HELLO_SECONDS = 60.0
PING_EVERY = 5.0
PING_DEADLINE = 15.0


@dataclass
class _Waiting:
    """A call that waits for its answer."""

    method: str
    done: threading.Event = field(default_factory=threading.Event)
    result: Json = None
    error: FerryError | None = None


class AgentConnection:
    """A running agent. Raises Unreachable from the constructor when it does not say hello in time."""

    def __init__(
        self,
        channel: Channel,
        nonce: str,
        name: str,
        *,
        hello_within: float = HELLO_SECONDS,
        ping_every: float = PING_EVERY,
        ping_deadline: float = PING_DEADLINE,
    ) -> None:
        self.name = name
        self._channel = channel
        self._prefix = f"@@{nonce} ".encode()
        self._ping_every, self._ping_deadline = ping_every, ping_deadline
        self._lock = threading.Lock()
        self._waiting: dict[int, _Waiting] = {}
        self._last_id = 0
        self._out: queue.SimpleQueue[tuple[int, bytes] | None] = queue.SimpleQueue()
        self._noise = Tail(10)
        self._gone: str | None = None
        self._ended = threading.Event()
        self._hello: Hello | None = None
        self._greeted = threading.Event()
        for target, what in ((self._read, "reader"), (self._write, "writer"), (self._watch, "pings")):
            threading.Thread(target=target, name=f"{name} {what}", daemon=True).start()
        if not self._greeted.wait(hello_within):
            self._drop(f"the agent did not say hello within {hello_within:g} s", kill=True)
        if self._hello is None:
            raise Unreachable(self._gone or f"{name}: the agent did not start")

    @property
    def hello(self) -> Hello:
        """What the agent said first."""
        assert self._hello is not None
        return self._hello

    def call(self, method: str, params: Mapping[str, Json], deadline: float) -> Json:
        """The answer's `result`. Raises AgentError, Unreachable, DeadlineExceeded (seconds `deadline`), BadAnswer."""
        waiting = _Waiting(method)
        number = self._enqueue(waiting, method, params, deadline)
        if not waiting.done.wait(deadline):
            with self._lock:
                self._waiting.pop(number, None)
            raise DeadlineExceeded(f"{self.name}: {method}: no answer within {deadline:g} s{_unknown(method)}")
        if waiting.error is not None:
            raise waiting.error
        return waiting.result

    def close(self) -> None:
        """Ends the agent: it finishes what it began. Waiting calls raise Unreachable."""
        self._drop("closed")

    # ---- sending

    def _enqueue(self, waiting: _Waiting, method: str, params: Mapping[str, Json], ttl: float) -> int:
        with self._lock:
            if self._gone is not None:
                raise Unreachable(self._gone)
            self._last_id += 1
            number = self._last_id
            self._waiting[number] = waiting
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": dict(params), "ttl": ttl}
        self._out.put((number, json.dumps(request).encode() + b"\n"))
        return number

    def _write(self) -> None:
        while (item := self._out.get()) is not None:
            number, line = item
            if number not in self._waiting:  # its caller gave up: a change must not be sent behind its back
                continue
            try:
                self._channel.send(line)
            except OSError as error:
                self._drop(f"cannot write to the agent: {error}")
                return

    # ---- receiving

    def _read(self) -> None:
        reason = "the agent ended"
        try:
            for line in self._channel.lines():
                if line.startswith(self._prefix):
                    self._receive(line[len(self._prefix) :])
                else:
                    self._noise.feed(line[:2000] + b"\n")
        except (OSError, ValueError) as error:
            reason = f"cannot read from the agent: {error}"
        code = self._channel.exit_code() if self._gone is None else None
        self._drop(reason if code is None else f"{reason} with exit code {code}")

    def _receive(self, payload: bytes) -> None:
        try:
            message = json.loads(payload)
        except ValueError:
            self._noise.feed(payload[:2000] + b"\n")
            return
        if not isinstance(message, dict):
            return
        if message.get("method") == "hello":
            self._greet(message.get("params"))
            return
        with self._lock:
            waiting = self._waiting.pop(message["id"], None) if isinstance(message.get("id"), int) else None
        if waiting is not None:
            self._settle(waiting, message)

    def _greet(self, params: Json) -> None:
        with contextlib.suppress(TypeError):
            given = {key: safe_text(value) if isinstance(value, str) else value for key, value in dict(params).items()}  # type: ignore[arg-type]
            self._hello = Hello(**{name: given.get(name) for name in Hello.__dataclass_fields__})  # type: ignore[arg-type]
        self._greeted.set()

    def _settle(self, waiting: _Waiting, message: dict[str, Json]) -> None:
        error = message.get("error")
        if isinstance(error, dict):
            data = error.get("data")
            kind = data.get("class") if isinstance(data, dict) else None
            waiting.error = AgentError(
                safe_text(str(kind or f"code {error.get('code')}")),
                safe_text(str(error.get("message", ""))),
                method=waiting.method,
                cluster=self.name,
            )
        elif "result" in message:
            waiting.result = message["result"]
        else:
            waiting.error = BadAnswer(f"{self.name}: {waiting.method}: an answer with neither result nor error")
        waiting.done.set()

    # ---- the end

    def _watch(self) -> None:
        asked: tuple[int, float, _Waiting] | None = None
        while not self._ended.wait(min(1.0, self._ping_every / 4)):
            now = time.monotonic()
            if asked is not None and asked[2].done.is_set():
                asked = None
            if asked is None:
                if self._hello is not None and now - self._channel.heard >= self._ping_every:
                    waiting = _Waiting("ping")
                    with contextlib.suppress(Unreachable):
                        asked = (self._enqueue(waiting, "ping", {}, self._ping_deadline), now, waiting)
            elif now - max(self._channel.heard, asked[1]) > self._ping_deadline:
                self._drop(f"nothing came back for {self._ping_deadline:g} s after a ping", kill=True)

    def _drop(self, reason: str, kill: bool = False) -> None:
        """Ends the connection for the first reason given; every waiting call gets it."""
        with self._lock:
            if self._gone is not None:
                return
            self._gone = f"{self.name}: {safe_text(reason)}"
        if reason != "closed":
            self._gone += self._last_words()
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for call in waiting.values():
            call.error = Unreachable(f"{self._gone}{_unknown(call.method)}")
            call.done.set()
        self._ended.set()
        self._greeted.set()
        self._out.put(None)
        with contextlib.suppress(OSError):
            self._channel.close(kill)

    def _last_words(self) -> str:
        for what, text in (("stderr", self._channel.errors()), ("output", self._noise.text())):
            lines = [line.strip() for line in text.split("\n") if line.strip()]
            if lines:
                return f" ({what}: {safe_text(' | '.join(lines[-3:]), 600)})"
        return ""


def _unknown(method: str) -> str:
    known = METHODS.get(method)
    return "; whether it had an effect is not known, look at the cluster" if known and known.changes else ""


def connect(side: SideSettings) -> AgentConnection:
    """Installs and starts the agent on that side's edge node. Raises Unreachable with what the other side said."""
    agent = (files("hbase_ferry.cluster") / "agent.rb").read_bytes()
    script = (files("hbase_ferry.remote") / "job.sh").read_bytes()
    agent_name, script_name = f"agent-{_digest(agent)}.rb", f"job-{_digest(script)}.sh"
    nonce = secrets.token_hex(8)
    machine = _machine(side)
    try:
        folder = machine.install(side.work_dir, {agent_name: agent, script_name: script})
        command = side.agent or (*side.hbase, "org.jruby.Main")
        options = ("--work", folder, "--job-script", f"{folder}/{script_name}")
        channel = machine.start((*command, f"{folder}/{agent_name}", nonce, *options), side.env)
        return AgentConnection(channel, nonce, side.name)
    except FerryError as error:
        machine.close()
        text = str(error)
        raise Unreachable(text if text.startswith(f"{side.name}: ") else f"{side.name}: {text}") from error
    except BaseException:
        machine.close()
        raise


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _machine(side: SideSettings) -> Machine:
    if side.transport is TransportKind.LOCAL:
        return LocalMachine()
    if side.transport is TransportKind.SSH and side.ssh is not None:
        from hbase_ferry.remote.ssh import SshMachine  # paramiko costs 0.1 s and 20 MB

        return SshMachine(side.ssh)
    raise Unreachable(f"no agent runs behind the transport {side.transport.value!r}")
