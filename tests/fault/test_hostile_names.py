"""Names that a cluster may hold and a terminal must not obey, from the wire to every front end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.pair import Pair
from hbase_ferry.cluster.simulator.replication import SimPeer
from hbase_ferry.model.cluster import Side

NAMES = {
    "markup": "[red]boo[/red]",
    "an unclosed tag": "[/][@click=app.quit]x",
    "escapes": "\x1b[2J\x1b]0;pwned\x07\x9b31m",
    "line breaks": "a\nb\r\x85\u2028c",
    "bidi": "\u202egnp.exe\u2066",
    "quotes": "'\"; drop 'orders' #",
    "zero width": "fe\u200brry_ord\ufeffers",
    "nothing visible": "\u3164\u00ad",
    "half a surrogate": "\ud800",
    "very long": "x" * 5000,
}
UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ud800-\udfff]"
)


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pair:
    """A source whose peers have every hostile name, keys and tables included."""
    made = Pair(tmp_path)
    source = made.world.clusters[Side.SOURCE]
    for name in NAMES.values():
        source.peers[name] = SimPeer(name, f"{name}:2181:/hbase", {name: (name,)}, enabled=True)
    return made


@pytest.mark.parametrize("words", ["status", "plan", "check", "run --until preflight", "remove-peer"])
def test_hostile_peers_are_shown_harmlessly_by_every_command(
    pair: Pair, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hbase_ferry import wiring

    real = wiring.build
    monkeypatch.setattr(
        wiring,
        "build",
        lambda settings, **more: real(settings, **{**more, "clock": pair.clock, "world": pair.world}),
    )
    command, *flags = words.split()
    extra = [NAMES["markup"]] if command == "remove-peer" else []
    done = pair.run(command, "CONFIG", *extra, *flags)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    assert done.exit_code in (0, 3), done.output
    assert not UNSAFE.search(done.stdout + done.stderr), (done.stdout + done.stderr)[:2000]
    if command == "status":
        assert (
            "[red]boo[/red]" in done.stdout and "\\x1b[2J" in done.stdout and "\\u202egnp.exe" in done.stdout
        )
