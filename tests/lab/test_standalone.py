"""Servers of other HBase lines: each comes up, and its own JRuby talks to it through its `hbase` command."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.process import start_time
from lab.standalone import ALWAYS, MATRIX
from lab.standalone import standalone as run_standalone

from lab import Standalone

pytestmark = pytest.mark.lab

LINES = [*ALWAYS, *(pytest.param(line, marks=pytest.mark.matrix) for line in MATRIX)]
ASK = """
require 'java'
conf = org.apache.hadoop.hbase.HBaseConfiguration.create
admin = org.apache.hadoop.hbase.client.ConnectionFactory.createConnection(conf).getAdmin
new = admin.respond_to?(:getClusterMetrics)
puts RUBY_VERSION
puts new ? admin.getClusterMetrics.getHBaseVersion : admin.getClusterStatus.getHBaseVersion
puts new ? admin.getClusterMetrics.getLiveServerMetrics.size : admin.getClusterStatus.getServers.size
java.lang.System.exit(0)
"""


@pytest.mark.parametrize("line", LINES)
def test_a_line_answers_its_own_ruby(line: str, standalone: Callable[[str], Standalone], tmp_path: Path) -> None:
    server = standalone(line)
    script = tmp_path / "ask.rb"
    script.write_text(ASK)
    done = subprocess.run([*server.agent, str(script)], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    ruby, version, servers = done.stdout.splitlines()[-3:]
    assert version == line
    assert int(servers) >= 1
    assert ruby.startswith("1.8") == line.startswith("1.")


def test_a_server_and_its_data_are_gone_afterwards(standalone: Callable[[str], Standalone]) -> None:
    standalone(ALWAYS[1])  # skips or fails where there are no servers
    with run_standalone(ALWAYS[1]) as server:
        pid = server.pid
        assert start_time(pid)
    assert start_time(pid) is None
    assert not server.root.exists()


def test_a_line_without_a_pom_is_refused() -> None:
    with pytest.raises(KeyError), run_standalone("0.98.0"):
        pass
