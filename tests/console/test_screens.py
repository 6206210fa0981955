"""Pictures of the screen at three sizes: the embedded pair, driven on a stepping clock to the moments that matter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import crossings
import pytest
from builders import Ferry as Double
from builders import Service, console, unreachable, view
from textual.pilot import Pilot

from hbase_ferry.wiring import Ferry

SIZES = [(80, 24), (120, 40), (200, 60)]
NAMES = [f"{width}x{height}" for width, height in SIZES]
Compare = Callable[..., bool]


def picture(
    compare: Compare, ferry: Any, size: tuple[int, int], *keys: str, name: str = "dark", twice: bool = False
) -> None:
    """One comparison. `twice`: a look later, so that a pace is known."""
    app = console(ferry, name=name)

    async def ready(pilot: Pilot[Any]) -> None:
        await pilot.pause()
        app.paint()
        if twice:
            crossings.look(ferry, 4)
            app.paint()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        app.paint()
        await pilot.pause()
        ran.append(True)

    ran: list[bool] = []
    before: Callable[[Pilot[Any]], Awaitable[None]] = ready
    same = compare(app, terminal_size=size, run_before=before)
    assert ran, "the console ended before the picture was taken"
    assert same


@pytest.fixture(autouse=True)
def operator(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("getpass.getuser", lambda: "mli")
    yield


def begun(step: str) -> Ferry:
    ferry = crossings.start()
    crossings.run_to(ferry, step)
    return ferry


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_at_the_start(snap_compare: Compare, size: tuple[int, int]) -> None:
    picture(snap_compare, crossings.start(), size)


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_in_the_middle_of_the_export(snap_compare: Compare, size: tuple[int, int]) -> None:
    ferry = crossings.start()
    crossings.half_way(ferry, "export:shop:orders", 0.4)
    picture(snap_compare, ferry, size, twice=True)


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_before_a_destructive_step_its_object_has_to_be_typed(snap_compare: Compare, size: tuple[int, int]) -> None:
    picture(snap_compare, begun("remove-peer"), size, "enter", *"ferry", "underscore", "o")


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_the_red_button(snap_compare: Compare, size: tuple[int, int]) -> None:
    picture(snap_compare, begun("enable-peer"), size, "R", "enter")


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_a_target_that_does_not_answer(snap_compare: Compare, size: tuple[int, int]) -> None:
    ferry = begun("enable-peer")
    service = ferry.service
    seen = service.view
    lost = unreachable(seen.target, seen.at - 900, "emr6: no answer to ping within 15 s; its agent is started again")
    ferry.seen(lost)
    picture(snap_compare, ferry, size, *(("2",) if size == (80, 24) else ()))


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_when_all_is_done(snap_compare: Compare, size: tuple[int, int]) -> None:
    ferry = crossings.start()
    crossings.whole(ferry)
    picture(snap_compare, ferry, size)


@pytest.mark.parametrize("name", ["light", "colour-blind", "ansi16"])
def test_the_other_themes(snap_compare: Compare, name: str) -> None:
    seen = view()
    lost = replace(seen, target=unreachable(seen.target, seen.at - 900))
    picture(snap_compare, Double(Service(seen_=lost)), (120, 40), name=name)


def test_read_only_with_help(snap_compare: Compare) -> None:
    picture(snap_compare, crossings.start(acting=False), (120, 40), "question_mark")


# ---- into a Bigtable instance


def to_bigtable(step: str = "") -> Ferry:
    ferry = crossings.start(target="bigtable")
    if step:
        crossings.run_to(ferry, step)
    return ferry


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_into_an_instance_at_the_start(snap_compare: Compare, size: tuple[int, int]) -> None:
    picture(snap_compare, to_bigtable(), size)


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_in_the_middle_of_the_copy(snap_compare: Compare, size: tuple[int, int]) -> None:
    ferry = to_bigtable()
    crossings.pieces(ferry, "backfill:orders", 2)
    picture(snap_compare, ferry, size)


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_a_peer_that_spins_on_a_missing_family(snap_compare: Compare, size: tuple[int, int]) -> None:
    ferry = to_bigtable("caught-up")
    assert ferry.world is not None and ferry.world.instance is not None
    del ferry.world.instance.tables["orders"].families["m"]
    crossings.look(ferry, 8, apart=10.0)
    picture(snap_compare, ferry, size, *(("1",) if size == (80, 24) else ()))


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_losses_that_nobody_accepted_close_the_cutover(snap_compare: Compare, size: tuple[int, int]) -> None:
    ferry = to_bigtable("stop-writers")
    crossings.write_what_is_dropped(ferry, "orders", rows=3)
    picture(snap_compare, ferry, size)


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_an_instance_that_took_over(snap_compare: Compare, size: tuple[int, int]) -> None:
    ferry = to_bigtable()
    crossings.whole(ferry)
    picture(snap_compare, ferry, size, *(("2",) if size == (80, 24) else ()))
