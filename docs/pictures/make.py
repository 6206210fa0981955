"""Makes `console.svg`: the console on the embedded pair, in the middle of the export, on a clock that only steps.

    .venv/bin/python docs/pictures/make.py

The same seed makes the same picture. Look at it (`rsvg-convert docs/pictures/console.svg -o console.png`) before you
commit it.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import re
import time
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from pathlib import Path

from hbase_ferry.console import theme
from hbase_ferry.console.app import Console
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import EventKind
from hbase_ferry.wiring import Ferry, demo

HERE = Path(__file__).resolve().parent
SIZE = (120, 40)
SHOWN = "export:shop:orders"
PART = 0.45
"""How much of the history is on the target in the picture."""
CELL = 12.2
"""Width of a character cell in Textual's SVG."""
TEXT = re.compile(r'<text class="(?P<style>[^"]*)" x="(?P<x>[^"]*)" y="(?P<y>[^"]*)" textLength="[^"]*" '
                  r'clip-path="(?P<clip>[^"]*)">(?P<text>[^<]*)</text>')  # fmt: skip
PIECE = re.compile(r"&#160;|[\u2800-\u28ff]|(?:(?!&#160;&#160;|&#160;$|[\u2800-\u28ff]).)+")
"""A blank, a dot of a curve, or words with single blanks between them."""


def look(ferry: Ferry, times: int = 1) -> None:
    """What the pollers would do, three seconds apart."""
    for _ in range(times):
        ferry.service.clock.sleep(3.0)
        view = ferry.service.observe()
        for side in Side:
            ferry.seen(view.side(side))


def sail(ferry: Ferry) -> Iterator[None]:
    """Every step up to the one shown, and that one until enough of it is done; its job goes on."""
    look(ferry, 50)
    for step in ferry.service.plan.steps:
        for event in ferry.service.execute(step.id, ferry.service.preview(step.id).confirmation.expected):
            if event.kind is EventKind.PROGRESS:
                look(ferry)
            if step.id == SHOWN and copied(ferry) >= PART:
                yield
        look(ferry, 6)


def copied(ferry: Ferry) -> float:
    """The share of the snapshot that has arrived."""
    progress = ferry.service.plan.step(SHOWN).progress(ferry.service.view)
    return progress.done / progress.total if progress and progress.total else 0.0


async def picture(ferry: Ferry) -> str:
    """The screen as SVG."""
    app = Console(ferry, theme.load("dark"), tick=0, charts_at_once=True)
    async with app.run_test(size=SIZE) as pilot:
        sailing = sail(ferry)
        next(sailing)
        look(ferry, 2)
        await pilot.pause()
        app.paint()
        await pilot.pause()
        return app.export_screenshot(title="hbase-ferry demo")


def placed(svg: str) -> str:
    """Every word and every dot of a curve at its own place, so that any fixed-width font draws the same picture.

    Textual's SVG asks for a font from the network, and viewers without it, or without textLength, let lines drift.
    """
    svg = re.sub(r"@font-face \{[^}]*\}", "", svg)
    svg = svg.replace("font-family: Fira Code, monospace", "font-family: DejaVu Sans Mono, Menlo, Consolas, monospace")
    return TEXT.sub(_pieces, svg)


def _pieces(found: re.Match[str]) -> str:
    made, column = [], 0
    for piece in PIECE.finditer(found["text"]):
        text = piece[0]
        cells = len(unescape(text))
        if text != "&#160;":
            x = round(float(found["x"]) + column * CELL, 1)
            made.append(
                f'<text class="{found["style"]}" x="{x:g}" y="{found["y"]}" textLength="{cells * CELL:g}" '
                f'clip-path="{found["clip"]}">{text}</text>'
            )
        column += cells
    return "".join(made)


def main() -> None:
    """Writes the SVG beside this file."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    getpass.getuser = lambda: "mli"
    with closing(demo(seed=7, stepping=True)) as ferry:
        svg = placed(asyncio.run(picture(ferry)))
    target = HERE / "console.svg"
    target.write_text(svg)
    print(f"{target.name}: {len(svg)} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
