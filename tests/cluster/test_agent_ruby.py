"""agent.rb and job.sh as texts: they run on the oldest Ruby that HBase ships, and they survive their transport.

HBase 1.4 brings JRuby 1.6.8 with Ruby 1.8 syntax. It cannot load Java classes on Java 17, so here it checks the
syntax and runs the agent's JSON; the contract suite runs the whole agent on JRuby 1.7.27 --1.8 and on 9.x.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from hbase_ferry.cluster.wire import METHODS as ALL_METHODS
from lab import Unavailable, jars

METHODS = {name: method for name, method in ALL_METHODS.items() if "hbase" in method.kinds}
HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src" / "hbase_ferry"
AGENT = SOURCE / "cluster" / "agent.rb"
POMS = {
    "1.6.8": HERE / "poms" / "jruby-1.6.8.xml",
    "1.7.27": HERE.parents[1] / "lab" / "poms" / "hbase-1.4.14.xml",
    "9.4.1": HERE.parents[1] / "lab" / "poms" / "hbase-3.0.0-alpha-4.xml",
}
VALUES = [
    None, True, False, 0, -17, 9_223_372_036_854_775_807, 1.5, -2.5e-3, "", "plain", "quote\" back\\slash /",
    "line\nfeed\ttab\r\b\f\x01\x1f\x7f", "é ü 漢字 \u2028 \ufeff", "astral \U0001f600 \U0010ffff", "a\u202eb",
    [], {}, [[], [{}]], {"a": [1, {"b": None}], "é\n": "x", "": 0}, {"k" * 1000: ["v" * 5000] * 3},
]  # fmt: skip


def jruby(version: str) -> list[str]:
    """The command of that JRuby in Ruby 1.8 mode where it has one."""
    try:
        jars.require_tools()
        folder = jars.class_path(POMS[version])
    except Unavailable as error:
        if os.environ.get("CI"):
            pytest.fail(f"no JRuby, and this is CI: {error}")
        pytest.skip(f"no JRuby: {error}")
    jar = next(folder.glob("jruby-complete-*.jar"))
    mode = ["--1.8"] if version.startswith("1.") else []
    return ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-jar", str(jar), *mode]


@pytest.mark.parametrize("path", [AGENT, SOURCE / "remote" / "job.sh"], ids=["agent.rb", "job.sh"])
def test_the_file_is_plain_ascii_text_that_can_travel_as_a_here_document(path: Path) -> None:
    content = path.read_bytes()
    assert content.isascii() and content.endswith(b"\n") and b"\r" not in content and b"\0" not in content


def test_the_agent_answers_exactly_the_methods_of_the_wire() -> None:
    defined = [line.split("'")[1] for line in AGENT.read_text().splitlines() if line.startswith("on('")]
    assert sorted([*defined, "ping"]) == sorted(METHODS)


def test_the_agent_guards_exactly_the_methods_that_change_something() -> None:
    lanes = {line.split("'")[1]: line.split(":")[1].split(")")[0] for line in AGENT.read_text().splitlines()
             if line.startswith("on('")}  # fmt: skip
    assert {name for name, lane in lanes.items() if lane == "change"} == {
        name for name, method in METHODS.items() if method.changes
    }


@pytest.mark.lab
def test_the_oldest_ruby_accepts_its_syntax() -> None:
    done = subprocess.run([*jruby("1.6.8"), "-c", str(AGENT)], capture_output=True, text=True, timeout=120)
    assert "Syntax OK" in done.stdout + done.stderr, done.stderr


@pytest.mark.lab
@pytest.mark.parametrize("version", POMS)
def test_its_json_survives_a_round_trip(version: str, tmp_path: Path) -> None:
    text = AGENT.read_text()
    module = text[text.index("module Json") : text.index("# An error of ours")]
    script = tmp_path / "round_trip.rb"
    loop = "while l = STDIN.gets\n  STDOUT.puts Json.dump(Json.load(l))\nend\n"
    script.write_text("require 'strscan'\n" + module + loop)
    lines = "".join(f"{json.dumps(v)}\n{json.dumps(v, ensure_ascii=False)}\n" for v in VALUES)
    done = subprocess.run([*jruby(version), str(script)], input=lines.encode(), capture_output=True, timeout=120)
    found = [json.loads(line) for line in done.stdout.decode().split("\n") if line]
    assert found == [value for value in VALUES for _ in range(2)], done.stderr.decode()[-500:]
