"""The real client against a service that says what the emulator cannot, and fails at chosen moments."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_bigtable import PATH, FakeBigtable, Refusal, fake_bigtable
from google.cloud import bigtable_admin_v2 as admin
from google.cloud.bigtable_v2 import types as data
from google.iam.v1.iam_policy_pb2 import TestIamPermissionsResponse as Granted
from grpc import StatusCode

from hbase_ferry.cluster.bigtable import rows
from hbase_ferry.cluster.bigtable.identity import PERMISSIONS
from hbase_ferry.cluster.wire import Wire
from hbase_ferry.errors import AgentError, DeadlineExceeded, Unreachable
from hbase_ferry.model.event import Json

API = "google.api_core.exceptions."
SCAN: dict[str, Any] = {"table": "t", "families": [], "start": "", "stop": "", "max_rows": 100, "max_bytes": 1000,
                        "versions": 0, "values": "full"}  # fmt: skip


@pytest.fixture
def service() -> Iterator[FakeBigtable]:
    with fake_bigtable() as fake:
        fake.on["ListTables"] = lambda request: admin.ListTablesResponse()
        yield fake


@pytest.fixture
def wire(service: FakeBigtable) -> Iterator[Wire]:
    connected = service.connect()
    yield connected
    connected.close()


def call(wire: Wire, method: str, deadline: float = 10.0, **params: Any) -> Any:
    answer: Json = wire.call(method, {**params, "expect_cluster_id": f"{PATH} in an emulator"}, deadline)
    return answer


def refuse(code: StatusCode, text: str) -> Any:
    def handler(request: Any) -> Any:
        raise Refusal(code, text)

    return handler


def real_service(fake: FakeBigtable) -> None:
    """An instance of two clusters as the real service shows one."""
    state = admin.Instance.State.READY
    fake.on["GetInstance"] = lambda request: admin.Instance(
        name=PATH, state=state, type_=admin.Instance.Type.PRODUCTION
    )
    limits = admin.AutoscalingLimits(min_serve_nodes=2, max_serve_nodes=9)
    scaling = admin.Cluster.ClusterAutoscalingConfig(autoscaling_limits=limits)
    clusters = [
        admin.Cluster(name=f"{PATH}/clusters/west", state=admin.Cluster.State.RESIZING, serve_nodes=3),
        admin.Cluster(
            name=f"{PATH}/clusters/east", state=admin.Cluster.State.READY, serve_nodes=5,
            cluster_config=admin.Cluster.ClusterConfig(cluster_autoscaling_config=scaling),
        ),
    ]  # fmt: skip
    fake.on["ListClusters"] = lambda request: admin.ListClustersResponse(clusters=clusters)
    any_of = admin.AppProfile.MultiClusterRoutingUseAny()
    single = admin.AppProfile.SingleClusterRouting(cluster_id="east", allow_transactional_writes=True)
    pages = {
        "": admin.ListAppProfilesResponse(
            app_profiles=[admin.AppProfile(name=f"{PATH}/appProfiles/default", multi_cluster_routing_use_any=any_of)],
            next_page_token="more",
        ),
        "more": admin.ListAppProfilesResponse(
            app_profiles=[admin.AppProfile(name=f"{PATH}/appProfiles/ferry", single_cluster_routing=single)]
        ),
    }
    fake.on["ListAppProfiles"] = lambda request: pages[request.page_token]
    fake.on["TestIamPermissions"] = lambda request: Granted(permissions=list(request.permissions)[:-1])


# ---- what the service says of itself


def test_the_identity_of_a_real_instance_tells_state_clusters_routing_and_permissions(
    service: FakeBigtable, wire: Wire
) -> None:
    real_service(service)
    assert call(wire, "cluster.identity")["settings"] == {
        "instance.state": "READY", "instance.type": "PRODUCTION",
        "clusters": "east,west",
        "cluster.east.state": "READY", "cluster.east.nodes": "5", "cluster.east.autoscaling": "2-9",
        "cluster.west.state": "RESIZING", "cluster.west.nodes": "3", "cluster.west.autoscaling": "off",
        "profiles": "default,ferry",
        "profile.default.routing": "multi", "profile.default.transactional": "false",
        "profile.ferry.routing": "single:east", "profile.ferry.transactional": "true",
        **{f"permission.{name}": "granted" for name in PERMISSIONS[:-1]},
        f"permission.{PERMISSIONS[-1]}": "missing",
    }  # fmt: skip


def test_an_instance_that_does_not_exist_is_an_error(service: FakeBigtable, wire: Wire) -> None:
    real_service(service)
    service.on["GetInstance"] = refuse(StatusCode.NOT_FOUND, "Instance some-instance not found.")
    with pytest.raises(AgentError) as caught:
        call(wire, "cluster.identity")
    assert caught.value.kind == API + "NotFound"
    assert caught.value.text == f"instance {PATH} was not found: Instance some-instance not found."


def test_what_the_account_may_not_see_is_unknown_with_the_reason(service: FakeBigtable, wire: Wire) -> None:
    real_service(service)
    service.on["ListAppProfiles"] = refuse(StatusCode.PERMISSION_DENIED, "lacks bigtable.appProfiles.list")
    settings = call(wire, "cluster.identity")["settings"]
    assert "lacks bigtable.appProfiles.list" in settings["unknown.profiles"]
    assert "profiles" not in settings and settings["instance.state"] == "READY"


def test_a_list_of_clusters_with_holes_is_unknown(service: FakeBigtable, wire: Wire) -> None:
    real_service(service)
    service.on["ListClusters"] = lambda request: admin.ListClustersResponse(failed_locations=["projects/p/locations/x"])
    settings = call(wire, "cluster.identity")["settings"]
    assert "projects/p/locations/x" in settings["unknown.clusters"] and "clusters" not in settings


def test_an_identity_without_an_answer_from_one_part_is_no_identity(service: FakeBigtable, wire: Wire) -> None:
    real_service(service)
    service.on["ListClusters"] = refuse(StatusCode.UNAVAILABLE, "try again")
    with pytest.raises(Unreachable, match="nobody answers for the clusters of"):
        call(wire, "cluster.identity")


def test_tables_are_read_page_by_page_and_one_that_vanished_is_left_out(service: FakeBigtable, wire: Wire) -> None:
    def listed(request: Any) -> Any:
        names, token = (("b", "gone"), "more") if not request.page_token else (("a",), "")
        tables = [admin.Table(name=f"{PATH}/tables/{name}") for name in names]
        return admin.ListTablesResponse(tables=tables, next_page_token=token)

    def one(request: Any) -> Any:
        if request.name.endswith("gone"):
            raise Refusal(StatusCode.NOT_FOUND, "no such table")
        rule = admin.GcRule(union=admin.GcRule.Union(rules=[admin.GcRule(max_num_versions=2), admin.GcRule()]))
        return admin.Table(name=request.name, column_families={"d": admin.ColumnFamily(gc_rule=rule)})

    service.on |= {"ListTables": listed, "GetTable": one}
    found = call(wire, "tables.list", max=10, names=None)
    assert ([table["name"] for table in found["items"]], found["total"]) == (["a", "b"], 2)
    assert found["items"][0]["families"][0]["retention"] == "maxversions=2"


# ---- who is asked, and how often


def test_a_read_that_finds_nobody_is_sent_again(service: FakeBigtable, wire: Wire) -> None:
    refusals = [1, 1]

    def listed(request: Any) -> Any:
        if refusals:
            refusals.pop()
            raise Refusal(StatusCode.UNAVAILABLE, "connection reset")
        return admin.ListTablesResponse()

    service.on["ListTables"] = listed
    assert call(wire, "ping")["up_ms"] >= 0
    assert service.count("ListTables") == 3


@pytest.mark.parametrize(
    ("method", "asked", "params"),
    [
        ("table.create", "CreateTable", {"families": {"d": "never"}, "splits": []}),
        ("table.drop", "DeleteTable", {}),
    ],
)
def test_a_change_of_the_schema_is_sent_once(
    service: FakeBigtable, wire: Wire, method: str, asked: str, params: dict[str, Any]
) -> None:
    service.on[asked] = refuse(StatusCode.UNAVAILABLE, "connection reset")
    with pytest.raises(Unreachable):
        call(wire, method, table="t", **params)
    assert service.count(asked) == 1


def test_every_request_carries_what_is_left_of_the_deadline(service: FakeBigtable, wire: Wire) -> None:
    real_service(service)
    answer = service.on["ListTables"]

    def slowly(request: Any) -> Any:
        threading.Event().wait(0.3)  # gRPC sends a deadline that is nearly the one before as that one
        return answer(request)

    service.on["ListTables"] = slowly
    call(wire, "cluster.identity", deadline=3.0)
    first, *others = [seconds for _, _, seconds in service.asked]
    assert len(others) == 5 and 0 < max(others) < first - 0.2


def test_a_deadline_that_is_used_up_ends_the_call_before_the_next_request(service: FakeBigtable, wire: Wire) -> None:
    real_service(service)
    with pytest.raises(DeadlineExceeded, match="no answer to cluster"):
        call(wire, "cluster.identity", deadline=0.0)
    assert service.asked == []


def test_data_goes_through_the_app_profile_of_the_replication(service: FakeBigtable) -> None:
    service.on["ReadRows"] = lambda request: []
    service.on["MutateRows"] = all_written
    wire = service.connect(app_profile="ferry")
    call(wire, "rows.scan", **SCAN)
    call(wire, "canary.read", table="t", rows=["61"])
    call(wire, "rows.write", table="t", rows=[["61", [["d", "71", 1000, "01"]]]])
    assert [request.app_profile_id for _, request, _ in service.asked] == ["ferry"] * 3
    wire.close()


def all_written(request: Any) -> Any:
    yield data.MutateRowsResponse(entries=[{"index": at, "status": {"code": 0}} for at in range(len(request.entries))])


# ---- rows


def chunk(value: bytes, key: bytes = b"", **more: Any) -> Any:
    return data.ReadRowsResponse.CellChunk(
        row_key=key, family_name="d", qualifier=b"q", timestamp_micros=1000, value=value, **more
    )


def test_a_page_that_breaks_off_is_read_again_from_its_start(service: FakeBigtable, wire: Wire) -> None:
    attempts: list[int] = []

    def read(request: Any) -> Any:
        attempts.append(1)
        yield data.ReadRowsResponse(chunks=[chunk(b"a", b"1", commit_row=True)])
        if len(attempts) == 1:
            raise Refusal(StatusCode.UNAVAILABLE, "stream broken")
        yield data.ReadRowsResponse(chunks=[chunk(b"b", b"2", commit_row=True)])

    service.on["ReadRows"] = read
    assert [row[0] for row in call(wire, "rows.scan", **SCAN)["rows"]] == ["31", "32"]
    assert len(attempts) == 2


def test_a_page_that_takes_long_ends_with_what_it_has(
    service: FakeBigtable, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "PAGE_SECONDS", -1.0)
    chunks = [chunk(b"a", b"1", commit_row=True), chunk(b"b", b"2", commit_row=True)]
    service.on["ReadRows"] = lambda request: [data.ReadRowsResponse(chunks=chunks)]
    page = call(wire, "rows.scan", **SCAN)
    assert ([row[0] for row in page["rows"]], page["next"]) == (["31"], "3100")


def test_many_cells_are_sent_in_requests_within_the_limits(
    service: FakeBigtable, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "ENTRY_CELLS", 4)
    monkeypatch.setattr(rows, "REQUEST_CELLS", 10)
    monkeypatch.setattr(rows, "REQUEST_BYTES", 100)
    service.on["MutateRows"] = all_written
    wide = ["61", [["d", f"{number:02x}", 1000, "01"] for number in range(11)]]
    heavy = [[f"{number:02x}", [["d", "71", 1000, "ab" * 60]]] for number in range(3)]
    call(wire, "rows.write", table="t", rows=[wide, *heavy])
    sent = [request.entries for _, request, _ in service.asked]
    assert [[len(entry.mutations) for entry in entries] for entries in sent] == [[4, 4], [3, 1], [1], [1]]
    cells = [m.set_cell.column_qualifier for entries in sent for e in entries for m in e.mutations if e.row_key == b"a"]
    assert cells == [bytes([number]) for number in range(11)]


def test_a_refused_row_of_a_later_request_is_named_after_all_were_sent(
    service: FakeBigtable, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "REQUEST_CELLS", 1)

    def mutate(request: Any) -> Any:
        code = 3 if request.entries[0].row_key == b"b" else 0
        entry = data.MutateRowsResponse.Entry(index=0, status={"code": code, "message": "too\nbig" if code else ""})
        yield data.MutateRowsResponse(entries=[entry])

    service.on["MutateRows"] = mutate
    with pytest.raises(AgentError) as caught:
        call(wire, "rows.write", table="t", rows=[[key, [["d", "71", 1000, "01"]]] for key in ("61", "62", "63")])
    assert caught.value.kind == API + "InvalidArgument"
    assert caught.value.text == "row 62 of table t: too\\x0abig"
    assert service.count("MutateRows") == 3


@pytest.mark.parametrize(
    "code", [8, 10, 14, None], ids=["RESOURCE_EXHAUSTED", "ABORTED", "UNAVAILABLE", "not answered"]
)
def test_a_row_whose_refusal_passes_or_that_was_not_answered_is_written_again(
    service: FakeBigtable, wire: Wire, code: int | None
) -> None:
    def mutate(request: Any) -> Any:
        if service.count("MutateRows") > 1:
            yield from all_written(request)
        elif code is not None:
            yield data.MutateRowsResponse(entries=[{"index": 0, "status": {"code": code, "message": "moving"}}])

    service.on["MutateRows"] = mutate
    call(wire, "rows.write", table="t", rows=[["61", [["d", "71", 1000, "01"]]]])
    assert service.count("MutateRows") == 2


def test_rows_that_stay_refused_for_now_are_unreachable_with_side_and_method(service: FakeBigtable, wire: Wire) -> None:
    service.on["MutateRows"] = lambda request: [
        data.MutateRowsResponse(entries=[{"index": 0, "status": {"code": 8, "message": "thro\x1bttled"}}])
    ]
    with pytest.raises(Unreachable, match=r"^prod: rows\.write: .* table t .*: thro.x1bttled; nothing is known"):
        call(wire, "rows.write", table="t", rows=[["61", [["d", "71", 1000, "01"]]]])
    assert service.count("MutateRows") == 3


PASSING = [
    (StatusCode.ABORTED, "tablet moved"),
    (StatusCode.INTERNAL, "Received RST_STREAM with error code 2"),
    (StatusCode.RESOURCE_EXHAUSTED, "Quota exceeded"),
]


@pytest.mark.parametrize(("code", "text"), PASSING, ids=[code.name for code, _ in PASSING])
@pytest.mark.parametrize(
    ("method", "asked", "params"),
    [
        ("rows.scan", "ReadRows", SCAN),
        ("canary.read", "ReadRows", {"table": "t", "rows": ["61"]}),
        ("rows.write", "MutateRows", {"table": "t", "rows": [["61", [["d", "71", 1000, "01"]]]]}),
        ("tables.list", "ListTables", {"max": 10, "names": None}),
    ],
    ids=["rows.scan", "canary.read", "rows.write", "tables.list"],
)
def test_what_passes_by_itself_is_tried_again_and_then_unreachable(
    service: FakeBigtable, wire: Wire, method: str, asked: str, params: dict[str, Any], code: StatusCode, text: str
) -> None:
    service.on[asked] = refuse(code, text)
    with pytest.raises(Unreachable, match=f"^prod: {method}: .* failed for now: {text}"):
        call(wire, method, **params)
    assert service.count(asked) == 3


def test_what_passes_by_itself_is_a_refusal_of_a_change_of_the_schema(service: FakeBigtable, wire: Wire) -> None:
    service.on["DeleteTable"] = refuse(StatusCode.ABORTED, "another change")
    with pytest.raises(AgentError, match="another change"):
        call(wire, "table.drop", table="t")
    assert service.count("DeleteTable") == 1


@pytest.mark.parametrize(
    ("code", "text"),
    [(StatusCode.INTERNAL, "a bug"), (StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max (5 vs. 4)")],
)
def test_what_does_not_pass_is_a_refusal_of_a_read_too(
    service: FakeBigtable, wire: Wire, code: StatusCode, text: str
) -> None:
    service.on["ReadRows"] = refuse(code, text)
    with pytest.raises(AgentError):
        call(wire, "rows.scan", **SCAN)
    assert service.count("ReadRows") == 1


def looked_through(*keys: bytes) -> Any:
    """Responses that only say how far the service has looked."""
    return [data.ReadRowsResponse(last_scanned_row_key=key) for key in keys]


def test_a_scan_that_finds_no_row_for_long_goes_on_behind_what_was_looked_through(
    service: FakeBigtable, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "PAGE_SECONDS", -1.0)
    service.on["ReadRows"] = lambda request: looked_through(b"5", b"9")
    page = call(wire, "rows.scan", **SCAN)
    assert (page["rows"], page["next"]) == ([], b"5\0".hex())
    assert call(wire, "rows.scan", **{**SCAN, "stop": b"5\0".hex()})["next"] is None, "that was the range"


def test_a_page_ends_before_its_deadline_does(service: FakeBigtable, wire: Wire) -> None:
    def read(request: Any) -> Any:
        yield from looked_through(b"5")
        while not pause.wait(0.1):
            yield from looked_through(b"6")

    pause = threading.Event()
    service.on["ReadRows"] = read
    try:
        assert call(wire, "rows.scan", deadline=1.0, **SCAN)["next"] == b"6\0".hex()
    finally:
        pause.set()


def test_a_page_with_time_left_reads_on_through_what_has_no_rows(service: FakeBigtable, wire: Wire) -> None:
    row = data.ReadRowsResponse(chunks=[chunk(b"a", b"6", commit_row=True)])
    service.on["ReadRows"] = lambda request: [*looked_through(b"5"), row, *looked_through(b"8")]
    page = call(wire, "rows.scan", **SCAN)
    assert ([found[0] for found in page["rows"]], page["next"]) == (["36"], None)
    short = call(wire, "rows.scan", **{**SCAN, "max_rows": 1})
    assert short["next"] == b"6\0".hex(), "never behind what was not looked at"


def test_rows_of_a_response_that_did_not_fit_the_page_are_not_passed_over(service: FakeBigtable, wire: Wire) -> None:
    chunks = [chunk(b"a", b"1", commit_row=True), chunk(b"b", b"2", commit_row=True)]
    service.on["ReadRows"] = lambda request: [data.ReadRowsResponse(chunks=chunks, last_scanned_row_key=b"2")]
    assert call(wire, "rows.scan", **{**SCAN, "max_rows": 1})["next"] == b"1\0".hex()


# ---- words


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (StatusCode.PERMISSION_DENIED, "PermissionDenied", "emulator may not do this to table t: no"),
        (StatusCode.UNAUTHENTICATED, "Unauthenticated", "was not accepted for table t"),
        (StatusCode.RESOURCE_EXHAUSTED, "ResourceExhausted", "table t: no"),
        (StatusCode.FAILED_PRECONDITION, "FailedPrecondition", "table t: no"),
        (StatusCode.INTERNAL, "InternalServerError", "table t: no"),
    ],
)
def test_what_the_service_refuses_names_the_table_and_googles_class(
    service: FakeBigtable, wire: Wire, code: StatusCode, kind: str, words: str
) -> None:
    service.on["DeleteTable"] = refuse(code, "no")
    with pytest.raises(AgentError) as caught:
        call(wire, "table.drop", table="t")
    assert caught.value.kind == API + kind and words in caught.value.text
    assert (caught.value.method, caught.value.cluster) == ("table.drop", "prod")


def test_a_failed_login_is_told_without_what_the_other_end_said(service: FakeBigtable, wire: Wire) -> None:
    text = "Getting metadata from plugin failed with error: invalid_grant ya29.secret-token"
    service.on["DeleteTable"] = refuse(StatusCode.UNAVAILABLE, text)
    with pytest.raises(Unreachable, match=r"logging in with the emulator .* failed") as caught:
        call(wire, "table.drop", table="t")
    assert "secret" not in str(caught.value)


def test_text_from_the_service_cannot_move_the_cursor(service: FakeBigtable, wire: Wire) -> None:
    service.on["DeleteTable"] = refuse(StatusCode.INTERNAL, "a\x1b[2Jb\u202ec")
    with pytest.raises(AgentError) as caught:
        call(wire, "table.drop", table="t")
    assert "\\x1b[2Jb\\u202ec" in caught.value.text


def test_a_closed_wire_is_unreachable(wire: Wire) -> None:
    wire.close()
    with pytest.raises(Unreachable, match="closed"):
        call(wire, "ping")


_SERVICE_GOES_AWAY = """
import sys
from hbase_ferry.cluster.bigtable.library import library
library("grpc")  # before the test's own server brings it
sys.path.insert(0, sys.argv[1])
from fake_bigtable import fake_bigtable
from hbase_ferry.errors import FerryError
with fake_bigtable() as fake:
    wire = fake.connect()
    for _ in range(2):
        try:
            wire.call("ping", {}, 5)
        except FerryError as error:
            print(type(error).__name__)
        fake.stop()
"""


def test_nothing_is_printed_when_the_service_goes_away() -> None:
    """A line on the terminal is a line across the screen."""
    folder = str(Path(__file__).parent)
    run = [sys.executable, "-c", _SERVICE_GOES_AWAY, folder]
    ended = subprocess.run(run, capture_output=True, text=True, timeout=60)
    assert (ended.stdout.split(), ended.stderr) == (["AgentError", "Unreachable"], "")
