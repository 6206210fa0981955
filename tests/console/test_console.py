"""The console under an operator's fingers: keys, confirmations, read-only, silence, hostile names, leaving."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from builders import (
    NOW,
    PEER,
    Ferry,
    Fixed,
    FixedClock,
    Service,
    console,
    plan,
    source,
    table,
    target,
    unreachable,
    view,
)
from textual.pilot import Pilot
from textual.widgets import Button, Input

from hbase_ferry.console.app import Console
from hbase_ferry.console.dialogs import Ask, Red
from hbase_ferry.console.keys import DANGEROUS, KEYS
from hbase_ferry.console.table import Lines
from hbase_ferry.migration.core import Gate, Plan, Risk
from hbase_ferry.model.cluster import Observed, Snapshot
from hbase_ferry.model.view import View

WIDE = (120, 40)
NARROW = (80, 24)
HOSTILE = "evil[/x][red]\x1b[31m\u202etxt"


def drive(
    app: Console, script: Callable[[Pilot[Any]], Awaitable[None]], size: tuple[int, int] = WIDE
) -> None:
    async def go() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await script(pilot)

    asyncio.run(go())


def text(app: Console, pane: str) -> str:
    return app.board.query_one(f"#{pane}", Lines).text()


def flat(app: Console, pane: str) -> str:
    """The pane's text without line breaks and indents."""
    return " ".join(text(app, pane).split())


async def until(pilot: Pilot[Any], condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await pilot.pause(0.01)
    raise AssertionError("waited 5 s in vain")


def test_the_first_screen_says_mode_step_sides_and_what_is_worst() -> None:
    app = console()

    async def script(pilot: Pilot[Any]) -> None:
        assert "ACTING as mli" in text(app, "top")
        assert "step 5 of 10: export orders" in text(app, "top")
        assert "WORST:" in text(app, "top")
        assert "SOURCE prod-bj  live" in text(app, "source")
        assert "TARGET emr6  live" in text(app, "target")
        assert "ferry_orders DISABLED    holding back 18 WALs" in text(app, "source")
        assert "-snapshot ferry-orders-7f3a -copy-to hdfs://emr6:8020/hbase" in flat(app, "text")

    drive(app, script)


def test_keys_go_to_the_pane_of_their_number_and_twice_shows_it_alone() -> None:
    app = console()

    async def script(pilot: Pilot[Any]) -> None:
        for number, name in enumerate(("source", "target", "lag", "steps", "text", "events"), 1):
            await pilot.press(str(number))
            await pilot.pause()
            assert app.focused is app.board.query_one(f"#{name}")
        await pilot.press("1", "1")
        await pilot.pause()
        assert not app.board.query_one("#events").display
        assert "TARGET emr6" in text(app, "heads")
        await pilot.press("escape")
        await pilot.pause()
        assert app.board.query_one("#events").display

    drive(app, script)


@pytest.mark.parametrize("number", range(1, 7))
def test_80x24_always_shows_mode_both_sides_the_chosen_step_and_what_blocks_it(number: int) -> None:
    closed = Gate("runway", False, "disk full in 3 h 10, below the 4 h gate", waivable=True)
    app = console(Ferry(Service(plan(closed=(closed,)))))

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.press(str(number))
        await pilot.pause()
        shown = screen_text(app)
        for words in ("ACTING as mli", "WORST:", "SOURCE prod-bj", "TARGET emr6", "Step 5 BLOCKED  export orders",
                      "blocked by  disk full in 3 h 10, below the 4 h gate", "q quit"):  # fmt: skip
            assert words in shown, words

    drive(app, script, NARROW)


def screen_text(app: Console) -> str:
    """What stands on the screen, cell by cell."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def test_below_80x24_the_size_is_named_and_growing_brings_the_panes_back() -> None:
    app = console()

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.pause()
        assert "This terminal is 79x20." in screen_text(app)
        assert "needs 80x24" in screen_text(app)
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        await pilot.pause()
        assert "This terminal" not in screen_text(app)
        assert "SOURCE prod-bj" in screen_text(app)

    drive(app, script, (79, 20))


def test_a_reversible_step_asks_with_cancel_focused_so_that_enter_sends_nothing() -> None:
    app = console(ferry := Ferry())

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Ask)
        assert app.focused is not None and app.focused.id == "ask-no"
        assert "on SOURCE prod-bj" in app.screen.query_one("#ask-body", Lines).text()
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is app.board
        assert ferry.service.calls == []

    drive(app, script)


def test_a_yes_runs_the_chosen_step_and_its_events_reach_the_log() -> None:
    app = console(ferry := Ferry())

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("tab", "enter")
        await until(pilot, lambda: ("execute", "export:orders", "") in ferry.service.calls)
        await until(pilot, lambda: not app.runner.running)
        app.paint()
        assert "export:orders is done" in text(app, "events")

    drive(app, script)


def destructive() -> Ferry:
    return Ferry(Service(plan(current=8)))


def test_a_destructive_step_keeps_ok_disabled_until_the_name_is_typed_exactly() -> None:
    app = console(destructive())

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.press("enter")
        await pilot.pause()
        ok = app.screen.query_one("#ask-yes", Button)
        assert ok.disabled
        for typed in ("ferry_order", "FERRY_ORDERS", "ferry_orders "):
            app.screen.query_one(Input).value = typed
            await pilot.pause()
            assert ok.disabled, typed
            await pilot.press("enter")
            await pilot.pause()
            assert isinstance(app.screen, Ask)
        app.screen.query_one(Input).value = PEER
        await pilot.pause()
        assert not ok.disabled

    drive(app, script)


def test_enter_in_the_field_never_confirms_it_only_goes_to_the_button() -> None:
    app = console(ferry := destructive())

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("enter", "enter", "enter")
        await pilot.pause()
        assert isinstance(app.screen, Ask)
        await pilot.press(*"ferry", "underscore", *"orders")
        await pilot.pause()
        assert app.screen.query_one(Input).value == PEER
        await pilot.press("enter")
        await pilot.pause()
        assert ferry.service.calls == []
        assert app.focused is not None and app.focused.id == "ask-yes"
        await pilot.press("enter")
        await until(pilot, lambda: ("execute", "remove-peer", PEER) in ferry.service.calls)

    drive(app, script)


def test_a_dialog_swallows_what_was_typed_before_it_was_seen() -> None:
    app = console(ferry := destructive(), type_ahead=0.3)

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.press("enter")
        await pilot.press(*"abc", "escape", "enter")
        assert isinstance(app.screen, Ask)
        assert app.screen.query_one(Input).value == ""
        await pilot.pause(0.35)
        await pilot.press("a")
        assert app.screen.query_one(Input).value == "a"
        assert ferry.service.calls == []

    drive(app, script)


def test_what_a_dialog_shows_goes_on_being_updated_and_a_closed_gate_disables_ok() -> None:
    app = console(ferry := Ferry())

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.press("enter")
        await pilot.pause()
        assert not app.screen.query_one("#ask-yes", Button).disabled
        closed = Gate("runway", False, "disk full in 3 h 10, below the 4 h gate")
        ferry.service.plan = plan(closed=(closed,))
        app.paint()
        await pilot.pause()
        assert app.screen.query_one("#ask-yes", Button).disabled
        assert "disk full in 3 h 10" in app.screen.query_one("#ask-body", Lines).text()
        assert "blocked" in text(app, "steps")

    drive(app, script)


def test_read_only_binds_no_dangerous_key_and_shows_no_dangerous_button() -> None:
    app = console(ferry := Ferry(Service(acting=False)))

    async def script(pilot: Pilot[Any]) -> None:
        assert "READ-ONLY" in text(app, "top")
        bound = {binding.action for _, binding, _, _ in app.board.active_bindings.values()}
        assert not bound & DANGEROUS
        assert {"help", "preview"} <= bound
        assert not app.board.query("#do") and not app.board.query("#undo")
        for key in KEYS:
            if key.dangerous:
                await pilot.press(key.keys)
                await pilot.pause()
                assert app.screen is app.board
                assert key.footer == "" or f"{key.shown} {key.footer}" not in text(app, "footer")
        assert ferry.service.calls == []

    drive(app, script)


def test_a_blocked_step_is_not_asked_for_and_says_its_number() -> None:
    closed = Gate("runway", False, "disk full in 3 h 10, below the 4 h gate")
    app = console(Ferry(Service(plan(closed=(closed,)))))

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is app.board
        assert "disk full in 3 h 10, below the 4 h gate" in text(app, "notice")

    drive(app, script)


def test_a_gate_is_waived_only_with_a_typed_reason() -> None:
    closed = Gate("runway", False, "disk full in 3 h 10, below the 4 h gate", waivable=True)
    app = console(ferry := Ferry(Service(plan(closed=(closed,)))))

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.press("w")
        await pilot.pause()
        assert app.screen.query_one("#ask-yes", Button).disabled
        await pilot.press(*"disk grows", "enter", "enter")
        await until(pilot, lambda: ("waive", "runway", "disk grows") in ferry.service.calls)

    drive(app, script)


def test_the_red_button_takes_two_keys_and_the_typed_peer_id() -> None:
    app = console(ferry := Ferry())

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.press("R")
        await pilot.pause()
        assert isinstance(app.screen, Red)
        shown = app.screen.query_one("#ask-body", Lines).text()
        assert "18 closed WALs held for ferry_orders" in shown
        assert "24.0 GB of 600 GB comes back" in shown
        await pilot.press(*"ferry", "underscore", *"orders")
        assert app.screen.query_one(Input).value == ""
        await pilot.press("enter")
        await pilot.press(*"ferry", "underscore", *"order")
        await pilot.press("enter", "enter")
        assert ferry.service.calls == []
        await pilot.press("s", "enter", "enter")
        await until(pilot, lambda: ("remove", PEER, PEER) in ferry.service.calls)

    drive(app, script)


def test_the_red_button_works_while_a_step_runs() -> None:
    ferry = Ferry()
    ferry.service.hold = threading.Event()
    app = console(ferry)

    async def script(pilot: Pilot[Any]) -> None:
        app.runner.start("a long export", lambda stop: ferry.service.execute("export:orders", "", stop))
        await pilot.press("R")
        await pilot.pause()
        await pilot.press("enter", *"ferry", "underscore", *"orders")
        await pilot.press("enter", "enter")
        await until(pilot, lambda: ("remove", PEER, PEER) in ferry.service.calls)
        assert app.runner.running == "a long export"
        ferry.service.hold.set()

    drive(app, script)


def test_moving_to_another_peer_takes_back_what_was_typed_for_the_first() -> None:
    app = console(Ferry())

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.press("R")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.press(*"ferry", "underscore", *"orders")
        app.screen.query_one("#red-peers", Lines).pick(1)
        await pilot.pause()
        assert app.screen.query_one("#ask-yes", Button).disabled
        assert app.screen.query_one(Input).value == ""
        assert "dr_backup" in app.screen.query_one("#ask-body", Lines).text()

    drive(app, script)


def hostile_view() -> View:
    base = view()
    snapshots = (Snapshot(HOSTILE, HOSTILE, int(NOW * 1000), "FLUSH", 0, HOSTILE),)
    tables = (table(HOSTILE), *(base.source.tables.value or ()))
    peers = tuple(replace(peer, id=HOSTILE, cluster_key=HOSTILE) for peer in (base.source.peers.value or ())[:1])
    wild = replace(base.source, snapshots=Observed(snapshots, NOW), tables=Observed(tables, NOW),
                   peers=Observed(peers, NOW))  # fmt: skip
    return replace(base, source=wild, target=unreachable(base.target, NOW - 60, HOSTILE))


def test_hostile_names_stand_on_the_screen_literally_and_harm_nothing() -> None:
    ferry = Ferry(Service(plan(title=HOSTILE, why=HOSTILE), seen_=hostile_view()))
    app = console(ferry)

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.press("1", "1")
        await pilot.pause()
        assert r"evil[/x][red]\x1b[31m\u202etxt" in screen_text(app)
        for keys in (("escape", "p"), ("escape", "e"), ("escape", "enter")):
            await pilot.press(*keys)
            await pilot.pause()
            assert "\x1b" not in screen_text(app) and "\u202e" not in screen_text(app)
            assert "evil[/x][red]" in screen_text(app) or keys[-1] == "e"

    drive(app, script)


def test_an_unreachable_side_is_grey_says_since_when_and_leaves_the_other_alone() -> None:
    seen_ = view()
    app = console(Ferry(Service(seen_=replace(seen_, target=unreachable(seen_.target, NOW - 3600)))))

    async def script(pilot: Pilot[Any]) -> None:
        head = text(app, "target")
        assert "UNREACHABLE since 14:06:40" in head
        assert "no answer to ping within 15 s" in head
        rows = app.board.query_one("#target", Lines).body[1:]
        named = [each for each in rows if any("app:table" in piece.text for piece in each.spans)]
        assert named and all(piece.role == "stale" for each in named for piece in each.spans)
        assert "SOURCE prod-bj  live" in text(app, "source")

    drive(app, script)


def test_nothing_is_painted_when_nothing_changed() -> None:
    app = console(ferry := Ferry())

    async def script(pilot: Pilot[Any]) -> None:
        app.paint()
        await pilot.pause()
        before = {pane.id: pane.painted for pane in app.board.query(Lines)}
        ferry.show(replace(ferry.service.view, at=NOW + 1))
        app.paint()
        await pilot.pause()
        assert {pane.id: pane.painted for pane in app.board.query(Lines)} == before

    drive(app, script)


def test_one_changed_number_repaints_its_own_cell_only() -> None:
    app = console(ferry := Ferry())

    async def script(pilot: Pilot[Any]) -> None:
        app.paint()
        await pilot.pause()
        before = app.board.query_one("#target", Lines).painted
        tables = ferry.service.view.target.tables.value or ()
        changed = (replace(tables[0], enabled=False), *tables[1:])
        turned = replace(ferry.service.view.target, tables=Observed(changed, NOW))
        ferry.show(replace(ferry.service.view, target=turned))
        app.paint()
        await pilot.pause()
        assert 0 < app.board.query_one("#target", Lines).painted - before <= 10

    drive(app, script)


def test_two_hundred_tables_a_side_are_counted_scrolled_and_filtered() -> None:
    app = console(Ferry(Service(seen_=replace(view(), source=source(200), target=target(200)))))

    async def script(pilot: Pilot[Any]) -> None:
        assert "Tables 200" in text(app, "source") and "Tables 200" in text(app, "target")
        await pilot.press("1", "end")
        await pilot.pause()
        assert "app:table_198" in screen_text(app)
        await pilot.press("slash", *"_117", "enter")
        await pilot.pause()
        assert "Tables 200, 1 shown" in text(app, "source")
        assert "filter: _117" in text(app, "footer")
        await pilot.press("escape")
        await pilot.pause()
        assert "shown" not in text(app, "source")

    drive(app, script)


def test_help_and_palette_come_from_the_key_table() -> None:
    app = console()

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.press("question_mark")
        await pilot.pause()
        page = app.board.query_one("#page", Lines)
        assert page.display
        for key in KEYS:
            assert key.help in flat(app, "page")
        await pilot.press("question_mark")
        await pilot.pause()
        assert not page.display
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert "red button  (R)" in titles and "theme light" in titles

    drive(app, script)


def test_a_preview_shows_every_command_and_gate_and_sends_nothing() -> None:
    gate = Gate("free", True, "190 GB free", value="31 %", threshold="15 %")
    app = console(ferry := Ferry(Service(plan(closed=(gate,)))))

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.press("p")
        await pilot.pause()
        shown = text(app, "page")
        assert "ExportSnapshot" in shown and "190 GB free  (31 % against 15 %)" in shown
        assert ferry.service.calls == []

    drive(app, script)


def test_quitting_while_a_step_runs_asks_and_says_what_goes_on() -> None:
    service = Service()
    service.hold = threading.Event()
    app = console(Ferry(service))

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("tab", "enter")
        await until(pilot, lambda: bool(service.calls))
        await pilot.press("q")
        await pilot.pause()
        said = " ".join(app.screen.query_one("#ask-body", Lines).text().split())
        assert "runs to its end there and is found again" in said
        await pilot.press("enter")
        await pilot.pause()
        assert app.is_running and app.screen is app.board
        service.hold.set()

    drive(app, script)


def test_leaving_does_not_wait_for_a_hung_action() -> None:
    service = Service()
    service.hold = threading.Event()
    app = console(Ferry(service))
    begun: list[float] = []

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("tab", "enter")
        await until(pilot, lambda: bool(service.calls))
        await pilot.press("q")
        await pilot.pause()
        begun.append(time.monotonic())
        await pilot.press("tab", "enter")

    drive(app, script)
    took = time.monotonic() - begun[0]
    service.hold.set()
    assert took < 5
    assert app.return_code == 0


def test_a_failed_action_stays_on_the_screen_until_it_is_dismissed() -> None:
    service = Service()

    def fail(*_: Any) -> Any:
        raise RuntimeError("boom [/x]")

    service.execute = fail  # type: ignore[method-assign]
    app = console(Ferry(service))

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("tab", "enter")
        await until(pilot, lambda: "boom [/x]" in text(app, "notice"))
        await pilot.press("escape")
        await pilot.pause()
        assert text(app, "notice") == ""

    drive(app, script)


def test_an_old_value_says_its_age_coarsely() -> None:
    clock = FixedClock()
    service = Service()
    service.clock = clock
    app = console(Ferry(service))

    async def script(pilot: Pilot[Any]) -> None:
        ages = ((4, "live"), (7, "5 s old"), (25, "20 s old"), (45, "STALE, 30 s old"), (200, "3 min old"))
        for passed, words in ages:
            clock.at = NOW + passed
            app.paint()
            assert words in text(app, "source").split("\n")[0], words

    drive(app, script)


def test_ascii_only_sends_nothing_but_ascii() -> None:
    app = console(ascii_only=True)

    async def script(pilot: Pilot[Any]) -> None:
        for keys in ((), ("question_mark",), ("escape", "enter")):
            await pilot.press(*keys)
            await pilot.pause()
            odd = {char for char in screen_text(app) if not char.isascii()}
            assert not odd

    drive(app, script)


def test_every_state_and_risk_has_a_word() -> None:
    app = console(Ferry(Service(plan(current=8))))

    async def script(pilot: Pilot[Any]) -> None:
        assert "done" in text(app, "steps") and "ready" in text(app, "steps") and "later" in text(app, "steps")
        assert Risk.DESTRUCTIVE.name in text(app, "text")

    drive(app, script)


class Tried(Fixed):
    """A step whose job failed and may be tried again."""

    def failure(self, view: View) -> str | None:
        return "the export ended with code 1"

    def retries(self, view: View) -> tuple[str, ...]:
        return ("export",)


def test_a_failed_step_says_why_and_may_be_tried_again() -> None:
    base = plan().steps[4]
    failed = Tried(base.id, base.title, base.why, base.risk, commands=base.commands)  # type: ignore[attr-defined]
    steps = (*plan().steps[:4], failed, *plan().steps[5:])
    app = console(ferry := Ferry(Service(Plan(steps))))

    async def script(pilot: Pilot[Any]) -> None:
        assert "FAILED the export ended with code 1" in flat(app, "text")
        assert "again doing the step begins a new attempt" in flat(app, "text")
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("tab", "enter")
        await until(pilot, lambda: bool(ferry.service.calls))

    drive(app, script)


def test_a_step_seen_done_stays_done_while_the_target_is_away() -> None:
    seen_ = view()
    lost = replace(seen_, target=unreachable(seen_.target, NOW - 60))
    unsure = plan(current=2, is_done=None)
    steps = tuple(replace(step, is_done=True) if n == 3 else step for n, step in enumerate(unsure.steps))  # type: ignore[call-arg]
    app = console(Ferry(Service(Plan(steps), seen_=lost)))

    async def script(pilot: Pilot[Any]) -> None:
        words = [each.replace(">", " ").split()[0] for each in text(app, "steps").split("\n")[1:6]]
        assert words == ["done", "done", "unknown", "done", "later"]

    drive(app, script)


def test_a_click_chooses_a_step_and_a_pane_scrolls() -> None:
    app = console(Ferry(Service(seen_=replace(view(), source=source(200)))))

    async def script(pilot: Pilot[Any]) -> None:
        await pilot.click("#steps", offset=(5, 8))
        await pilot.pause()
        assert app.chosen == 7
        assert "Step 8: stop the writers" in text(app, "text")
        listing = app.board.query_one("#source", Lines)
        listing.scroll_rows(3)
        assert listing.seen[0] == 4

    drive(app, script)
