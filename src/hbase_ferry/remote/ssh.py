"""An edge node over SSH with paramiko. Used by `cluster.connection`; imported only when a side says `ssh`.

Invariant: no byte of ours goes to a host whose key known_hosts does not vouch for; every step before the agent runs
ends by a deadline, because a timer closes the transport under it; nothing is run in a terminal; each argument is
quoted for the remote shell.
"""

from __future__ import annotations

import contextlib
import getpass
import logging
import secrets
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import paramiko

from hbase_ferry.errors import Unreachable
from hbase_ferry.migration.settings import SshSettings
from hbase_ferry.remote.channel import Tail, split_lines
from hbase_ferry.remote.known_hosts import HostKeys, Verdict, read_known_hosts

USER_TIMEOUT_MS = 20_000
INSTALL_SECONDS = 30.0
START_SECONDS = 15.0
logging.getLogger("paramiko").addHandler(logging.NullHandler())  # else Python prints its errors over the screen
_RSA = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")


class SshMachine:
    """A connection to one edge node; opened by the first `install` or `start`."""

    def __init__(self, settings: SshSettings) -> None:
        self._settings = settings
        self._where = f"{settings.user or getpass.getuser()}@{settings.host}:{settings.port}"
        self._client: paramiko.SSHClient | None = None

    def install(self, folder: str, files: Mapping[str, bytes]) -> str:
        transport = self._transport()
        mark = secrets.token_hex(8)
        with self._guard(transport, "installing the agent", INSTALL_SECONDS):
            channel = transport.open_session(timeout=2 * INSTALL_SECONDS)  # the guard ends it before
            channel.exec_command("exec sh -s")
            channel.sendall(_installer(folder, files, mark))
            channel.shutdown_write()
            out = channel.makefile("rb").read()
            errors = channel.makefile_stderr("rb").read()
        for line in out.decode(errors="replace").splitlines():
            if line.startswith(f"@@{mark} "):
                return line.split(" ", 1)[1]
        said = " | ".join(errors.decode(errors="replace").strip().splitlines()[-3:])
        raise Unreachable(f"{self._where}: cannot put the agent into {folder}: {said or 'no answer'}")

    def start(self, argv: Sequence[str], env: Mapping[str, str]) -> SshChannel:
        transport = self._transport()
        words = ["env", *(f"{name}={value}" for name, value in env.items()), *argv] if env else argv
        with self._guard(transport, "starting the agent", START_SECONDS):
            channel = transport.open_session(timeout=2 * START_SECONDS)
            channel.exec_command("exec sh -c " + shlex.quote("exec " + shlex.join(words)))
        return SshChannel(channel, self)

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _transport(self) -> paramiko.Transport:
        if self._client is None:
            self._client = _open(self._settings, self._where)
        transport = self._client.get_transport()
        if transport is None:
            raise Unreachable(f"{self._where}: the connection is gone")
        return transport

    @contextlib.contextmanager
    def _guard(self, transport: paramiko.Transport, what: str, seconds: float) -> Iterator[None]:
        """paramiko waits for some replies without a limit: past the deadline the transport is closed under it."""
        late = threading.Event()

        def expire() -> None:
            late.set()
            transport.close()

        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (paramiko.SSHException, OSError, EOFError) as error:
            why = f"no answer within {seconds:g} s" if late.is_set() else str(error) or type(error).__name__
            raise Unreachable(f"{self._where}: {what}: {why}") from error
        finally:
            timer.cancel()
        if late.is_set():
            raise Unreachable(f"{self._where}: {what}: no answer within {seconds:g} s")


class SshChannel:
    """A process on the edge node; it ends when its stdin ends, and closing it closes the machine."""

    def __init__(self, channel: paramiko.Channel, machine: SshMachine) -> None:
        self.heard = time.monotonic()
        self._channel = channel
        self._machine = machine
        self._tail = Tail()
        self._drain = threading.Thread(target=self._drain_errors, name="agent stderr", daemon=True)
        self._drain.start()

    def send(self, data: bytes) -> None:
        try:
            self._channel.sendall(data)
        except (paramiko.SSHException, EOFError) as error:
            raise OSError(str(error) or "closed") from error

    def lines(self) -> Iterator[bytes]:
        return split_lines(lambda: self._channel.recv(1 << 16), self._set_heard)

    def _set_heard(self, moment: float) -> None:
        self.heard = moment

    def errors(self) -> str:
        if self._channel.exit_status_ready():
            self._drain.join(0.5)
        return self._tail.text()

    def exit_code(self) -> int | None:
        """Known only once sshd has told it, which it does right after the end of the output."""
        if self._channel.status_event.wait(0.5) and self._channel.exit_status >= 0:
            return self._channel.exit_status
        return None

    def close(self, kill: bool = False) -> None:
        """Ends its stdin by closing the connection. A hung process over there can only be left to its own watchdog."""
        self._machine.close()

    def _drain_errors(self) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            while data := self._channel.recv_stderr(1 << 14):
                self._tail.feed(data)


def _installer(folder: str, files: Mapping[str, bytes], mark: str) -> bytes:
    """A shell script that writes the files; they are text, so they travel as here-documents."""
    if folder == "~" or folder.startswith("~/"):
        place = '"$HOME"/' + shlex.quote(folder[2:] or ".")
    else:
        place = shlex.quote(folder)
    head = (
        f"set -eu\numask 077\nmkdir -p {place}\ncd {place}\nd=$(pwd -P)\n"
        'if [ ! -O . ]; then echo "$d belongs to another user; choose a work_dir of your own" >&2; exit 1; fi\n'
        "chmod 700 .\n"
    )
    parts = [head.encode()]
    for name, content in files.items():
        quoted, new = shlex.quote(name), shlex.quote(f".{name}.{mark}")
        if not content.endswith(b"\n") or mark.encode() in content:
            raise ValueError(f"{name} cannot travel as a here-document")
        parts += [f"cat > {new} <<'{mark}'\n".encode(), content, f"{mark}\nmv -f {new} {quoted}\n".encode()]
    parts.append(f"printf '\\n@@{mark} %s\\n' \"$d\"\n".encode())
    return b"".join(parts)


def _open(settings: SshSettings, where: str) -> paramiko.SSHClient:
    known = _known(settings, where)
    limit = settings.connect_timeout_seconds
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(_Strict(known))
    try:
        sock = _socket(settings.host, settings.port, limit)
        client.connect(
            settings.host,
            settings.port,
            settings.user or getpass.getuser(),
            key_filename=str(Path(settings.key_file).expanduser()) if settings.key_file else None,
            look_for_keys=not settings.key_file,
            allow_agent=True,
            timeout=limit,
            banner_timeout=limit,
            auth_timeout=limit,
            channel_timeout=limit,
            sock=sock,
            transport_factory=_factory(known),
        )
    except paramiko.AuthenticationException as error:
        client.close()
        raise Unreachable(f"{where}: the login was refused: {error}") from error
    except (paramiko.SSHException, OSError, EOFError, ValueError) as error:
        client.close()
        raise Unreachable(f"{where}: {error or type(error).__name__}") from error
    except BaseException:
        client.close()
        raise
    transport = client.get_transport()
    if transport is not None:
        transport.set_keepalive(15)
    return client


def _socket(host: str, port: int, limit: float) -> socket.socket:
    sock = socket.create_connection((host, port), limit)
    options = (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
        (socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", 18), USER_TIMEOUT_MS),
    )
    with contextlib.suppress(OSError):  # not every system has them all; the application's ping is the rule
        for level, name, value in options:
            sock.setsockopt(level, name, value)
    return sock


def _known(settings: SshSettings, where: str) -> HostKeys:
    if settings.known_hosts:
        paths = [Path(settings.known_hosts).expanduser()]
        if not paths[0].is_file():
            raise Unreachable(f"{where}: known_hosts {settings.known_hosts} is not a file")
    else:
        paths = [Path("~/.ssh/known_hosts").expanduser(), Path("/etc/ssh/ssh_known_hosts")]
    try:
        return read_known_hosts(paths, settings.host, settings.port)
    except OSError as error:
        raise Unreachable(f"{where}: cannot read known_hosts: {error}") from error


def _factory(known: HostKeys) -> Callable[..., paramiko.Transport]:
    """Transports that ask the server for the kinds of host key we know, as OpenSSH does."""
    wanted = [name for kind in known.types for name in (_RSA if kind == "ssh-rsa" else (kind,))]

    def make(sock: socket.socket, **options: Any) -> paramiko.Transport:
        transport = paramiko.Transport(sock, **options)
        security = transport.get_security_options()
        usable = tuple(name for name in wanted if name in security.key_types)
        if usable:
            security.key_types = usable
        return transport

    return make


class _Strict(paramiko.MissingHostKeyPolicy):
    """Decides every host key: paramiko's own store stays empty, so that it asks for each."""

    def __init__(self, known: HostKeys) -> None:
        self._known = known

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        verdict = self._known.judge(key.asbytes())
        if verdict is Verdict.KNOWN:
            return
        hint = ""
        if verdict is Verdict.UNKNOWN:
            hint = "; connect once with ssh, or add the line your administrator gives you"
        if verdict is Verdict.UNKNOWN and self._known.authorities:
            hint = "; a @cert-authority line names it, but host certificates are not checked here: add its plain key"
        raise paramiko.SSHException(
            f"host key {key.get_name()} {key.fingerprint} of {hostname} refused: {verdict.value}{hint}"
        )
