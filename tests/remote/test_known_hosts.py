"""known_hosts is read as OpenSSH reads it: line by line, with patterns, hashes and markers."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest

from hbase_ferry.remote.known_hosts import HostKeys, Verdict, read_known_hosts

GOOD, OTHER = b"\x00good", b"\x00other"


def line(hosts: str, blob: bytes = GOOD, marker: str = "") -> str:
    return f"{marker} {hosts} ssh-ed25519 {base64.b64encode(blob).decode()} comment".strip()


def hashed(name: str) -> str:
    salt = b"01234567890123456789"
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def keys(tmp_path: Path, *lines: str, host: str = "edge", port: int = 2222) -> HostKeys:
    file = tmp_path / "known_hosts"
    file.write_text("\n".join(lines) + "\n")
    return read_known_hosts([file, tmp_path / "absent"], host, port)


@pytest.mark.parametrize(
    "hosts", ["[edge]:2222", "a,[edge]:2222", "[ed?e]:2222", "[*]:2222", "*", "[EDGE]:2222", hashed("[edge]:2222")]
)
def test_a_line_that_names_the_host_vouches_for_its_key(tmp_path: Path, hosts: str) -> None:
    assert keys(tmp_path, line(hosts)).judge(GOOD) is Verdict.KNOWN


@pytest.mark.parametrize("hosts", ["edge", "[edge]:22", "[edges]:2222", "*,![edge]:2222", hashed("edge"), "|1|x|y"])
def test_a_line_that_names_another_does_not(tmp_path: Path, hosts: str) -> None:
    assert keys(tmp_path, line(hosts)).judge(GOOD) is Verdict.UNKNOWN


def test_the_standard_port_stands_without_brackets(tmp_path: Path) -> None:
    assert keys(tmp_path, line("edge"), port=22).judge(GOOD) is Verdict.KNOWN


def test_another_key_is_a_changed_key(tmp_path: Path) -> None:
    assert keys(tmp_path, line("*", OTHER)).judge(GOOD) is Verdict.CHANGED


def test_several_keys_of_one_kind_all_count(tmp_path: Path) -> None:
    assert keys(tmp_path, line("*", OTHER), line("*")).judge(GOOD) is Verdict.KNOWN


def test_a_revoked_key_is_refused_whatever_other_lines_say(tmp_path: Path) -> None:
    found = keys(tmp_path, line("*"), line("*", GOOD, "@revoked"))
    assert found.judge(GOOD) is Verdict.REVOKED and found.types == ()


def test_marked_and_broken_lines_spoil_nothing(tmp_path: Path) -> None:
    broken = ("# x", "", "edge", "@bad", "* ssh-rsa !!!")
    marked = (line("*", OTHER, "@cert-authority"), line("zz", OTHER, "@revoked"))
    found = keys(tmp_path, *broken, *marked, line("*"))
    assert found.judge(GOOD) is Verdict.KNOWN and found.authorities == 1


def test_a_certificate_authority_vouches_for_nobody_here(tmp_path: Path) -> None:
    assert keys(tmp_path, line("*", GOOD, "@cert-authority")).judge(GOOD) is Verdict.UNKNOWN
