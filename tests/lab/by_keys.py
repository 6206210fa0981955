"""An operator who does a whole crossing on the screen, with keys alone."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from real_crossing import Crossing
from textual.pilot import Pilot
from textual.widgets import Button, Input

from hbase_ferry.console import theme
from hbase_ferry.console.app import Console
from hbase_ferry.console.dialogs import Ask
from hbase_ferry.model.event import EventKind

STEP_SECONDS = 240.0
ENDS = {EventKind.STEP_DONE, EventKind.STEP_FAILED, EventKind.REFUSED}


class Operator:
    """Presses keys and reads the screen."""

    def __init__(self, app: Console, pilot: Pilot[Any], crossing: Crossing) -> None:
        self.app, self.pilot, self.service = app, pilot, crossing.ferry.service

    async def until(self, what: str, condition: Any, seconds: float = STEP_SECONDS) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
            await self.pilot.pause(0.1)

    async def cross(self) -> None:
        """Does the step the screen proposes, until none is left."""
        await self.until(
            "both sides", lambda: all(s.identity.current for s in (self.service.view.source, self.service.view.target))
        )
        while (step := self.service.plan.next(self.service.view)) is not None:
            number = self.service.plan.steps.index(step) + 1
            await self.until(f"step {number} on the top line", lambda n=number: f"step {n} of" in self.top())
            await self.do(step.id)

    def top(self) -> str:
        return self.app.board.query_one("#top").text()  # type: ignore[attr-defined, no-any-return]

    async def do(self, step_id: str) -> None:
        """Enter, the confirmation the dialog asks for, and the end of the step."""
        before = max((event.number for event in self.service.events()), default=0)

        def ended() -> bool:
            return any(e.step == step_id and e.kind in ENDS for e in self.service.events(before))

        await self.pilot.press("enter")
        await self.until(
            f"{step_id} to begin or ask",
            lambda: (
                isinstance(self.app.screen, Ask)
                or ended()
                or any(e.step == step_id for e in self.service.events(before))
            ),
            20,
        )
        if isinstance(self.app.screen, Ask):
            await self.confirm(step_id)
        await self.until(f"the end of {step_id}", ended)
        last = next(e for e in reversed(self.service.events(before)) if e.step == step_id and e.kind in ENDS)
        assert last.kind is EventKind.STEP_DONE, last.text

    async def confirm(self, step_id: str) -> None:
        expected = self.service.preview(step_id).confirmation.expected
        await self.pilot.pause(0.5)
        if expected:
            self.app.screen.query_one(Input).value = expected
            await self.pilot.press("enter")
        yes = self.app.screen.query_one("#ask-yes", Button)
        await self.until("the button", lambda: not yes.disabled, 20)
        yes.focus()
        await self.pilot.press("enter")


def cross_by_keys(crossing: Crossing) -> None:
    """The crossing from its first step to its last, in a console of 120 columns, under 500 writes a second."""

    async def go() -> None:
        app = Console(crossing.ferry, theme.load("dark"))
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause()
            await Operator(app, pilot, crossing).cross()

    crossing.workload.start()
    crossing.ferry.start()
    asyncio.run(go())
