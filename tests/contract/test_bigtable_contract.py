"""The wire's contract for Bigtable: the simulated instance and Google's emulator behind the real client answer alike.

Where they differ, the simulated one is wrong, but for what the emulator cannot say (`test_..._says_what_it_cannot`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import pytest
from backends import ANSWERED, Checked

from bigtable_emulator import freeze, running_emulator
from hbase_ferry.cluster.bigtable.connect import connect_instance
from hbase_ferry.cluster.client import Cluster
from hbase_ferry.cluster.simulator.clock import SteppingClock
from hbase_ferry.cluster.simulator.instance import SimInstance
from hbase_ferry.cluster.simulator.instance_wire import SimulatedInstanceWire
from hbase_ferry.cluster.simulator.world import World
from hbase_ferry.cluster.wire import METHODS, WRONG_CLUSTER
from hbase_ferry.errors import AgentError, DeadlineExceeded, Unreachable
from hbase_ferry.migration.bigtable.settings import BigtableSettings
from hbase_ferry.model.clock import Clock, SystemClock
from hbase_ferry.model.cluster import Side, Table
from lab import Unavailable

TITLE = "the wire of Bigtable, compared"
API = "google.api_core.exceptions."
BAD = "hbase_ferry.BadRequest"
MINE = tuple(name for name, method in METHODS.items() if "bigtable" in method.kinds)
PATH = "projects/contract-project/instances/contract-instance"
MIB = 1024 * 1024



@dataclass
class Backend:
    """The simulated instance or the emulator, with short words for what the tests do to it."""

    name: str
    cluster: Cluster
    clock: Clock
    freeze: Any
    thaw: Any
    refuse: Any
    accept: Any
    seen: set[str] = field(default_factory=set)

    def call(self, method: str, **params: Any) -> Any:
        return self.cluster.call(method, params)

    def refusal(self, method: str, **params: Any) -> AgentError:
        try:
            answer = self.call(method, **params)
        except AgentError as error:
            return error
        raise AssertionError(f"{method} was not refused: {answer}")

    def table(self, name: str) -> Table | None:
        return next(iter(self.call("tables.list", max=9, names=[name]).items), None)

    def retention(self, name: str) -> dict[str, str]:
        table = self.table(name)
        assert table is not None
        return {family.name: family.retention for family in table.families}

    def write(self, table: str, *rows: tuple[str, list[tuple[str, str, int, str]]]) -> Any:
        return self.call("rows.write", table=table, rows=[[key, [list(c) for c in cells]] for key, cells in rows])

    def scan(self, table: str, **changes: Any) -> Any:
        usual = {"families": [], "start": "", "stop": "", "max_rows": 100, "max_bytes": MIB, "versions": 0,
                 "values": "full"}  # fmt: skip
        return self.call("rows.scan", table=table, **{**usual, **changes})

    def raw(self, method: str, deadline: float, **params: Any) -> Any:
        """Past the client above the wire, with a deadline of its own."""
        return self.cluster._open().call(method, {"expect_cluster_id": self.cluster.pinned_id, **params}, deadline)


def _simulated() -> Iterator[Backend]:
    clock = SteppingClock(1_800_000_000.0)
    world = World(7, clock)
    world.instance = SimInstance("simulated", PATH)
    side, seen = Side.TARGET, set[str]()
    cluster = Cluster(side, "simulated", lambda: Checked(SimulatedInstanceWire(world), seen), clock, side_by_side=False)
    yield Backend(
        "simulated", cluster, clock,
        lambda: world.fault(side, "frozen"), lambda: world.heal(side, "frozen"),
        lambda: world.fault(side, "refused"), lambda: world.heal(side, "refused"), seen,
    )  # fmt: skip


def _emulated() -> Iterator[Backend]:
    try:
        with running_emulator("contract") as emulator:
            own = BigtableSettings("contract-project", "contract-instance", emulator=emulator.address)
            seen = set[str]()
            cluster = Cluster(
                Side.TARGET, "emulator", lambda: Checked(connect_instance("emulator", own), seen), SystemClock()
            )
            yield Backend(
                "emulator", cluster, SystemClock(), lambda: freeze(emulator), emulator.thaw, emulator.kill,
                emulator.restart, seen,
            )  # fmt: skip
    except Unavailable as error:
        pytest.skip(f"no Bigtable emulator: {error}")


@pytest.fixture(
    scope="module", params=["simulated", pytest.param("emulator", marks=pytest.mark.lab)], ids=["simulated", "emulator"]
)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    for made in _simulated() if request.param == "simulated" else _emulated():
        identity = made.call("cluster.identity", settings=None)
        made.cluster.pin(identity.cluster_id)
        ANSWERED[made.name] = made.seen
        yield made
        made.cluster.close()


@pytest.fixture
def orders(backend: Backend, request: pytest.FixtureRequest) -> Iterator[str]:
    """A table of this test's own, with families d and m."""
    name = f"t{crc32(request.node.name.encode()):x}"
    assert backend.call("table.create", table=name, families={"d": "never", "m": "maxversions=2"}, splits=[]).changed
    yield name
    backend.call("table.drop", table=name)


# ---- what it is


def test_identity_says_which_instance_this_is(backend: Backend) -> None:
    identity = backend.call("cluster.identity", settings=["hbase.no.such.key"])
    place = f"{PATH} in an emulator" if backend.name == "emulator" else PATH
    assert (identity.cluster_id, identity.title, identity.hbase_version) == (place, "Cloud Bigtable", "")
    assert (identity.servers, identity.dead_servers, identity.regions_in_transition) == ((), (), 0)
    assert identity.user
    assert abs(identity.time_ms / 1000 - backend.clock.now()) < 60


def test_every_part_of_the_identity_is_known_or_named_as_unknown(backend: Backend) -> None:
    settings = backend.call("cluster.identity", settings=None).settings
    for what, key in (("instance", "instance.state"), ("clusters", "clusters"), ("profiles", "profiles"),
                      ("permissions", "permission.bigtable.tables.readRows")):  # fmt: skip
        assert (key in settings) != (f"unknown.{what}" in settings), what
    assert all(reason.strip() for key, reason in settings.items() if key.startswith("unknown."))


def test_ping_answers(backend: Backend) -> None:
    assert backend.call("ping")["up_ms"] >= 0


# ---- tables


def test_a_table_is_made_once_and_shows_what_it_keeps(backend: Backend) -> None:
    aged = "(maxage=5s and maxversions=2) or maxversions=9"
    families = {"m": "never", "d": "maxversions=3 or maxage=1d", "x.y-z": aged}
    made = [backend.call("table.create", table="made_1.a-b", families=families, splits=["30", "6d"]) for _ in "12"]
    assert [answer.changed for answer in made] == [True, False]
    table = backend.table("made_1.a-b")
    assert table is not None and [family.name for family in table.families] == ["d", "m", "x.y-z"]
    assert [(f.retention, f.versions, f.ttl_seconds, f.min_versions) for f in table.families] == [
        ("maxage=86400s or maxversions=3", 3, 86_400, 0),
        ("never", 2**31 - 1, 2**31 - 1, 0),
        (aged, 9, 5, 2),
    ]
    assert (table.enabled, table.namespace) == (True, "default")
    assert dict(table.attributes) == {"deletion_protection": "false"}
    assert [backend.call("table.drop", table="made_1.a-b").changed for _ in "12"] == [True, False]
    assert backend.table("made_1.a-b") is None


def test_a_table_that_is_there_otherwise_is_refused_with_what_differs(backend: Backend, orders: str) -> None:
    error = backend.refusal("table.create", table=orders, families={"d": "maxversions=1", "q": "never"}, splits=[])
    assert error.kind == API + "AlreadyExists"
    for words in (orders, "family d keeps never, not maxversions=1", "family q is missing", "family m is there too"):
        assert words in error.text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("shop:orders", "Bigtable has none"),
        ("a" * 51, "takes 50 at most"),
        ("-orders", "no . or - in front"),
        ("or ders", "letters"),
        ("", "is not a table's name"),
        ("ordérs", "letters"),
    ],
)
def test_a_name_bigtable_has_no_table_for_is_refused(backend: Backend, name: str, words: str) -> None:
    error = backend.refusal("table.create", table=name, families={"d": "never"}, splits=[])
    assert error.kind == BAD and words in error.text
    assert name not in [table.name for table in backend.call("tables.list", max=1000, names=None).items]


@pytest.mark.parametrize("families", [{"d:": "never"}, {"f" * 65: "never"}, {"": "never"}, {"d": "3 days"}, {"d": ""}])
def test_a_family_bigtable_cannot_have_is_refused(backend: Backend, orders: str, families: dict[str, str]) -> None:
    for method, more in (("table.create", {"splits": []}), ("table.families", {})):
        assert backend.refusal(method, table=orders, families=families, **more).kind == BAD
    assert backend.retention(orders) == {"d": "never", "m": "maxversions=2"}


def test_families_are_added_and_changed_and_the_others_left(backend: Backend, orders: str) -> None:
    asked = {"m": "maxage=1h", "n": "maxversions=1 and maxage=2s"}
    answers = [backend.call("table.families", table=orders, families=asked) for _ in "12"]
    assert [answer.changed for answer in answers] == [True, False] and answers[0].note == "1 added, 1 changed"
    assert backend.retention(orders) == {"d": "never", "m": "maxage=3600s", "n": "maxage=2s and maxversions=1"}
    assert backend.call("table.families", table=orders, families={"m": "never"}).changed
    assert backend.retention(orders)["m"] == "never"


def test_a_protected_table_is_not_dropped(backend: Backend, orders: str) -> None:
    assert [backend.call("table.protect", table=orders, on=True).changed for _ in "12"] == [True, False]
    table = backend.table(orders)
    assert table is not None and table.attributes["deletion_protection"] == "true"
    error = backend.refusal("table.drop", table=orders)
    assert error.kind == API + "FailedPrecondition"
    assert error.text == f'table {orders}: table "{PATH}/tables/{orders}" is protected from deletion'
    assert [backend.call("table.protect", table=orders, on=False).changed for _ in "12"] == [True, False]


def test_tables_are_listed_sorted_cut_at_max_and_by_name(backend: Backend) -> None:
    names = [f"list{number:02d}" for number in range(14)]
    for name in reversed(names):
        backend.call("table.create", table=name, families={"d": "never"}, splits=[])
    found = backend.call("tables.list", max=1000, names=None)
    listed = [table.name for table in found.items]
    assert listed == sorted(listed) and set(names) <= set(listed) and found.total == len(listed)
    cut = backend.call("tables.list", max=3, names=None)
    assert ([t.name for t in cut.items], cut.total) == (listed[:3], found.total)
    assert backend.call("tables.list", max=9, names=["list03", "nope", "list01"]).total == 2
    assert backend.call("tables.list", max=9, names=[]).items == ()
    for name in names:
        backend.call("table.drop", table=name)


def test_a_long_listing_shows_a_change_at_once(backend: Backend) -> None:
    names = [f"fresh{number:02d}" for number in range(14)]
    for name in names:
        backend.call("table.create", table=name, families={"d": "never"}, splits=[])
    backend.call("tables.list", max=1000, names=None)
    backend.call("table.families", table="fresh03", families={"d": "maxversions=7"})
    backend.call("table.drop", table="fresh04")
    listed = {table.name: table for table in backend.call("tables.list", max=1000, names=None).items}
    assert listed["fresh03"].families[0].retention == "maxversions=7" and "fresh04" not in listed
    for name in names:
        backend.call("table.drop", table=name)


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("table.families", {"families": {"d": "never"}}),
        ("table.protect", {"on": True}),
        ("rows.write", {"rows": [["61", [["d", "71", 1000, "62"]]]]}),
        ("canary.read", {"rows": ["61"]}),
        ("rows.scan", {"families": [], "start": "", "stop": "", "max_rows": 1, "max_bytes": 9, "versions": 0,
                       "values": "full"}),
    ],
)  # fmt: skip
def test_a_table_that_does_not_exist_is_not_found(backend: Backend, method: str, more: dict[str, Any]) -> None:
    error = backend.refusal(method, table="nowhere", **more)
    assert error.kind == API + "NotFound"
    assert error.text == f'table nowhere was not found: table "{PATH}/tables/nowhere" not found'


# ---- rows

ROW = ("6b31", [("m", "", 0, ""), ("d", "71", 2000, "bb"), ("d", "61", 5000, "00ff"), ("d", "71", 9000, "aa")])


def test_cells_come_back_in_order_with_their_times(backend: Backend, orders: str) -> None:
    for _ in "12":
        assert backend.write(orders, ROW, ("6b30", [("d", "71", 9_223_372_036_854_775_000, "01")])).changed
    page = backend.scan(orders)
    assert page.rows == (
        ("6b30", (("d", "71", 9_223_372_036_854_775_000, "01"),)),
        ("6b31", (("d", "61", 5000, "00ff"), ("d", "71", 9000, "aa"), ("d", "71", 2000, "bb"), ("m", "", 0, ""))),
    )
    assert (page.next, page.skipped, page.bytes) == (None, (), 2 + 1 + 1 + 2 + 1 + 2 + 1 + 1 + 1 + 1)


def test_digests_are_of_the_values(backend: Backend, orders: str) -> None:
    backend.write(orders, ("61", [("d", "71", 1000, b"hello".hex()), ("m", "71", 1000, "")]))
    (row,) = backend.scan(orders, values="digest").rows
    assert [cell[3] for cell in row[1]] == ["5d41402abc4b2a76b9719d911017c592", "d41d8cd98f00b204e9800998ecf8427e"]


def test_a_value_written_again_at_the_same_time_replaces_the_first(backend: Backend, orders: str) -> None:
    for value in ("01", "02"):
        backend.write(orders, ("61", [("d", "71", 1000, value)]))
    assert backend.scan(orders).rows == (("61", (("d", "71", 1000, "02"),)),)


def test_versions_and_families_limit_what_is_read(backend: Backend, orders: str) -> None:
    backend.write(orders, ROW, ("6b32", [("m", "71", 1000, "01")]))
    assert backend.scan(orders, families=["d"], versions=1).rows == (
        ("6b31", (("d", "61", 5000, "00ff"), ("d", "71", 9000, "aa"))),
    )
    assert [row[0] for row in backend.scan(orders, families=["m", "nope"]).rows] == ["6b31", "6b32"]
    assert backend.scan(orders, families=["."]).rows == () == backend.scan(orders, families=["nope"]).rows
    assert [len(cells) for _, cells in backend.scan(orders, versions=1).rows] == [3, 1]


def test_pages_follow_each_other_without_a_gap(backend: Backend, orders: str) -> None:
    keys = [f"{number:04x}" for number in range(25)]
    backend.write(orders, *((key, [("d", "71", 1000, "01" * 10)]) for key in keys))
    for limit in ({"max_rows": 7}, {"max_bytes": 40}, {"max_rows": 1}, {"max_bytes": 1}):
        found, following = [], ""
        while following is not None:
            page = backend.scan(orders, start=following, **{"max_rows": 100, **limit})
            found += [row[0] for row in page.rows] + list(page.skipped)
            assert page.next is None or page.next > following
            following = page.next
        assert found == keys, limit


def test_a_range_holds_its_start_and_not_its_stop(backend: Backend, orders: str) -> None:
    backend.write(orders, *((key, [("d", "71", 1000, "01")]) for key in ("61", "6100", "62", "63", "ff")))

    def keys(start: str, stop: str) -> list[str]:
        return [row[0] for row in backend.scan(orders, start=start, stop=stop).rows]

    assert keys("61", "62") == ["61", "6100"]
    assert keys("6100", "") == ["6100", "62", "63", "ff"]
    assert keys("", "61") == [] == keys("63", "63") == keys("63", "61")
    page = backend.scan(orders, start="61", stop="6100", max_rows=1)
    assert ([row[0] for row in page.rows], page.next) == (["61"], None)


def test_a_row_too_large_for_a_page_is_named_and_the_page_goes_on(backend: Backend, orders: str) -> None:
    big = [("d", f"{number:02x}", 1000, "ab" * 1000) for number in range(9)]
    backend.write(orders, ("61", [("d", "71", 1000, "01")]), ("62", big), ("63", [("d", "71", 1000, "03")]))
    page = backend.scan(orders, max_bytes=1000)
    assert ([row[0] for row in page.rows], page.skipped, page.next) == (["61", "63"], ("62",), None)
    assert page.bytes == 6
    page = backend.scan(orders, max_bytes=2500)
    assert ([row[0] for row in page.rows], page.skipped, page.next) == (["61", "62"], (), "6200")


def test_a_cell_above_four_megabytes_is_written_and_read(backend: Backend, orders: str) -> None:
    value = "ab" * (6 * MIB)
    backend.write(orders, ("61", [("d", "71", 1000, value)]))
    (row,) = backend.scan(orders, max_bytes=8_000_000).rows
    assert row[1][0][3] == value
    assert backend.scan(orders, max_bytes=MIB).skipped == ("61",)


def test_a_row_with_a_family_the_table_lacks_is_refused_and_the_others_are_written(
    backend: Backend, orders: str
) -> None:
    """The emulator writes the cells in front of the one it refuses; the service none of that row."""
    cell, lost, other = ("d", "71", 1000, "01"), ("zz", "71", 1000, "01"), ("yy", "71", 1000, "01")
    rows = [("61", [cell]), ("62", [lost, cell]), ("63", [other]), ("64", [cell])]
    with pytest.raises(AgentError) as caught:
        backend.write(orders, *rows)
    assert caught.value.kind == API + "InternalServerError"
    assert caught.value.text == f'row 62 of table {orders} (and 1 more): unknown family "zz"'
    assert [row[0] for row in backend.scan(orders).rows] == ["61", "64"]


def test_nothing_to_write_changes_nothing(backend: Backend, orders: str) -> None:
    assert not backend.write(orders).changed
    assert not backend.write(orders, ("61", [])).changed
    assert backend.scan(orders).rows == ()


@pytest.mark.parametrize(
    "rows",
    [
        [["", [["d", "71", 1000, "01"]]]],
        [["zz", [["d", "71", 1000, "01"]]]],
        [["6", [["d", "71", 1000, "01"]]]],
        [["AB", [["d", "71", 1000, "01"]]]],
        [["61" * 4097, [["d", "71", 1000, "01"]]]],
        [["61", [["d", "71", 1001, "01"]]]],
        [["61", [["d", "71", -1, "01"]]]],
        [["61", [["d", "71", 9_223_372_036_854_775_807, "01"]]]],
        [["61", [["d", "71" * 16385, 1000, "01"]]]],
        [["61", [["d", "71", "1000", "01"]]]],
        [["61", [["d", "71", 1000]]]],
        [["61"]],
        ["61"],
    ],
)
def test_cells_bigtable_cannot_hold_are_refused_before_anything_is_written(
    backend: Backend, orders: str, rows: list[Any]
) -> None:
    good = ["60", [["d", "71", 1000, "01"]]]
    assert backend.refusal("rows.write", table=orders, rows=[good, *rows]).kind == BAD
    assert backend.scan(orders).rows == ()


def test_canary_rows_are_there_or_not_in_the_order_asked_for(backend: Backend, orders: str) -> None:
    backend.write(orders, ("62", [("d", "71", 1000, "01")]), ("61", [("m", "71", 1000, "")]))
    found = backend.call("canary.read", table=orders, rows=["63", "62", "61", "62"])
    assert [(row.row_hex, row.present, row.region, row.server) for row in found.items] == [
        ("63", False, "", ""), ("62", True, "", ""), ("61", True, "", ""), ("62", True, "", "")
    ]  # fmt: skip
    assert backend.call("canary.read", table=orders, rows=[]).items == ()


# ---- the guards of the wire itself


@pytest.mark.parametrize("method", [name for name in MINE if METHODS[name].changes])
def test_a_change_is_refused_on_another_instance(backend: Backend, orders: str, method: str) -> None:
    samples: dict[str, Any] = {"table": orders, "families": {"d": "maxversions=1"}, "splits": [], "on": True,
                               "rows": [["61", [["d", "71", 1000, "01"]]]]}  # fmt: skip
    params = {name: samples[name] for name in METHODS[method].params}
    for expected in ("projects/p/instances/another", None):
        with pytest.raises(AgentError) as caught:
            backend.cluster._open().call(method, {**params, "expect_cluster_id": expected}, 20)
        assert caught.value.kind == WRONG_CLUSTER
    assert backend.retention(orders) == {"d": "never", "m": "maxversions=2"}
    assert backend.scan(orders).rows == ()


@pytest.mark.parametrize("method", ["table.truncate", *(name for name in METHODS if name not in MINE)])
def test_a_method_of_hbase_alone_is_refused(backend: Backend, method: str) -> None:
    with pytest.raises(AgentError) as caught:
        backend.cluster._open().call(method, {}, 20)
    assert caught.value.kind == "hbase_ferry.UnknownMethod"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tables.list", {"max": "9", "names": None}),
        ("tables.list", {"max": 9, "names": "t"}),
        ("canary.read", {"table": "t", "rows": ["zz"]}),
        ("canary.read", {"table": "t", "rows": [""]}),
        ("canary.read", {"rows": []}),
        ("table.create", {"table": "t", "families": {"d": "never"}, "splits": ["x"]}),
        ("table.create", {"table": "t", "families": {"d": 3}, "splits": []}),
        ("table.protect", {"table": "t", "on": 1}),
        ("table.drop", {"table": "a/../b"}),
        ("rows.write", {"table": "t", "rows": {}}),
        *(
            ("rows.scan", {"table": "t", "families": [], "start": "", "stop": "", "max_rows": 1, "max_bytes": 1,
                           "versions": 0, "values": "full", **wrong})
            for wrong in ({"start": "x"}, {"max_rows": 0}, {"max_rows": 100_001}, {"max_bytes": 0},
                          {"max_bytes": 8_000_001}, {"versions": -1}, {"values": "none"})
        ),
    ],
)  # fmt: skip
def test_parameters_that_do_not_fit_are_refused(backend: Backend, method: str, params: dict[str, Any]) -> None:
    with pytest.raises(AgentError) as caught:
        backend.raw(method, 20, **params)
    assert caught.value.kind == BAD


# ---- when it is away; the table below is gone afterwards with an emulator that was killed

AWAY: tuple[tuple[str, dict[str, Any]], ...] = (
    ("ping", {}),
    ("cluster.identity", {"settings": None}),
    ("tables.list", {"max": 9, "names": None}),
    ("table.create", {"table": "away", "families": {"d": "never"}, "splits": []}),
    ("rows.write", {"table": "away", "rows": [["61", [["d", "71", 1000, "01"]]]]}),
    ("rows.scan", {"table": "away", "families": [], "start": "", "stop": "", "max_rows": 1, "max_bytes": 9,
                   "versions": 0, "values": "full"}),
)  # fmt: skip


def test_a_frozen_instance_is_a_deadline_and_answers_again_with_its_data(backend: Backend, orders: str) -> None:
    backend.write(orders, ROW)
    backend.freeze()
    try:
        for method, params in AWAY:
            began = backend.clock.now()
            with pytest.raises(DeadlineExceeded, match=f"no answer to {method} about .* within 0.3 s"):
                backend.raw(method, 0.3, **params)
            assert backend.clock.now() - began < 3
    finally:
        backend.thaw()
    assert len(backend.scan(orders).rows) == 1


def test_calls_from_several_threads_get_their_own_answers(backend: Backend, orders: str) -> None:
    wrong: list[Any] = []

    def work(number: int) -> None:
        key = f"{number:02x}"
        for turn in range(10):
            backend.write(orders, (key, [("d", "71", 1000 * turn, f"{turn:02x}")]))
            page = backend.scan(orders, start=key, stop=f"{key}00", versions=1)
            if page.rows != ((key, (("d", "71", 1000 * turn, f"{turn:02x}"),)),):
                wrong.append(page)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and len(backend.scan(orders).rows) == 8


def test_zy_nobody_there_is_unreachable_at_once(backend: Backend) -> None:
    """Near the end: an emulator comes back empty."""
    backend.refuse()
    try:
        for method, params in AWAY:
            began = backend.clock.now()
            with pytest.raises(Unreachable) as caught:
                backend.raw(method, 20, **params)
            assert not isinstance(caught.value, DeadlineExceeded) and "nobody answers" in str(caught.value)
            assert backend.clock.now() - began < 5
    finally:
        backend.accept()


def test_zz_every_bigtable_method_of_the_wire_was_answered(backend: Backend, request: pytest.FixtureRequest) -> None:
    """Runs last; says nothing about a selection of tests."""
    mine = {item.originalname for item in request.session.items if item.fspath == request.node.fspath}  # type: ignore[attr-defined]
    if mine != {name for name in globals() if name.startswith("test_")}:
        pytest.skip("only a selection of the suite ran")
    assert set(MINE) - backend.seen == set()
