"""OpenSSH's known_hosts, read the way OpenSSH reads it. Used by `ssh.py` only.

paramiko refuses a whole file for one `@cert-authority` or `@revoked` line and knows no patterns; this reads every
line on its own. Invariant: a revoked key is refused even where another line vouches for it, and a line that cannot
be read vouches for nobody.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha1
from pathlib import Path


class Verdict(Enum):
    """What the file says about a key."""

    KNOWN = "known"
    UNKNOWN = "no line names this host"
    CHANGED = "the host is known with another key"
    REVOKED = "the key is marked @revoked"


@dataclass
class HostKeys:
    """The lines of one or more files that speak of one host."""

    accepted: list[tuple[str, bytes]] = field(default_factory=list)
    "(key type, key blob)"
    revoked: set[bytes] = field(default_factory=set)
    authorities: int = 0
    "lines that trust a certificate authority for this host; certificates are not checked here"

    def judge(self, blob: bytes) -> Verdict:
        if blob in self.revoked:
            return Verdict.REVOKED
        if any(known == blob for _, known in self.accepted):
            return Verdict.KNOWN
        return Verdict.CHANGED if self.accepted else Verdict.UNKNOWN

    @property
    def types(self) -> tuple[str, ...]:
        """Key types worth asking the server for: those we know."""
        return tuple(dict.fromkeys(kind for kind, blob in self.accepted if blob not in self.revoked))


def read_known_hosts(paths: Iterable[Path], host: str, port: int) -> HostKeys:
    """What these files say about that host. A missing file says nothing. Raises OSError for an unreadable one."""
    keys = HostKeys()
    for path in paths:
        if path.exists():
            for line in path.read_text(errors="replace").splitlines():
                _add(keys, line, host if port == 22 else f"[{host}]:{port}")
    return keys


def _add(keys: HostKeys, line: str, name: str) -> None:
    words = line.split()
    marker = words.pop(0) if words and words[0].startswith("@") else ""
    if len(words) < 3 or words[0].startswith("#"):
        return
    hosts, kind, text = words[:3]
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return
    if not _matches(hosts, name):
        return
    if marker == "@revoked":
        keys.revoked.add(blob)
    elif marker == "@cert-authority":
        keys.authorities += 1
    elif not marker:
        keys.accepted.append((kind, blob))


def _matches(hosts: str, name: str) -> bool:
    if hosts.startswith("|"):
        return _matches_hash(hosts, name)
    found = False
    for pattern in hosts.lower().split(","):
        wanted = _glob(pattern.removeprefix("!"))
        if fnmatch.fnmatchcase(name.lower(), wanted):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _glob(pattern: str) -> str:
    """OpenSSH's patterns know `*` and `?` only; brackets belong to `[host]:port`."""
    return pattern.replace("[", "[[]")


def _matches_hash(hosts: str, name: str) -> bool:
    parts = hosts.split("|")
    if len(parts) != 4 or parts[1] != "1":
        return False
    try:
        salt, digest = base64.b64decode(parts[2]), base64.b64decode(parts[3])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), sha1).digest(), digest)
