"""Fixtures of the transport tests: a private sshd, skipped where there is none (in CI that is a failure)."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator

import pytest
from private_sshd import SSHD, Sshd, private_sshd


@pytest.fixture(scope="session")
def sshd_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if SSHD is None or shutil.which("ssh-keygen") is None:
        if os.environ.get("CI"):
            pytest.fail("no sshd on this machine: install openssh-server")
        pytest.skip("no sshd on this machine: install openssh-server")
    with private_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def sshd(sshd_process: Sshd) -> Iterator[Sshd]:
    """The server, known by its right key; sessions a test froze are thawed."""
    sshd_process.known_hosts.write_text(sshd_process.line())
    before = set(sshd_process.sessions())
    yield sshd_process
    for pid in set(sshd_process.sessions()) - before:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGTERM)
