"""The commands where the target is an instance: a crossing, its status and checks, and the repair of one row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.pair import Pair

from hbase_ferry.cluster.simulator.instance import InstanceTable
from hbase_ferry.migration.sampling import key_of, shown

TABLE = "customers"


def table_of(pair: Pair) -> InstanceTable:
    assert pair.world.instance is not None
    return pair.world.instance.tables[TABLE]


def test_a_crossing_runs_to_its_end_and_a_row_that_was_spoilt_is_found_and_repaired(to_bigtable: Pair) -> None:
    assert to_bigtable.run("run", "CONFIG", "--confirm", "stop-writers", "--until", "drained").exit_code == 0
    table = table_of(to_bigtable)
    key = next(iter(sorted(table.rows)))
    del table.rows[key]
    table._keys.remove(key)
    failed = to_bigtable.run("run", "CONFIG")
    assert failed.exit_code == 4 and "1 different" in failed.stderr
    said = to_bigtable.run("plan", "CONFIG").stdout
    assert "missing:" in said and "write these rows of the source to the target again" in said
    asked = to_bigtable.run("repair", "CONFIG", TABLE, shown(key))
    assert asked.exit_code == 3 and key not in table.rows
    assert asked.stderr.splitlines()[-1].endswith(f"--confirm {shown(key)}") or "--confirm" in asked.stderr
    done = to_bigtable.run("repair", "CONFIG", TABLE, shown(key), "--confirm", shown(key))
    assert done.exit_code == 0 and key in table.rows
    words = ("run", "CONFIG", "--confirm", "switch", "--confirm", "remove-peer")
    assert to_bigtable.run(*words).exit_code == 0
    assert set(to_bigtable.states().values()) == {"done"}


def test_check_says_which_servers_have_the_library_and_what_the_service_says(to_bigtable: Pair) -> None:
    result = to_bigtable.run("check", "CONFIG")
    assert result.exit_code == 0, result.stderr
    assert "4 of 4 servers run with the library and its keys" in result.stdout
    assert "instance bt-prod is READY" in result.stdout


def test_status_shows_the_instance_and_no_part_it_cannot_have(to_bigtable: Pair) -> None:
    result = to_bigtable.run("status", "CONFIG")
    assert "TARGET bt-prod   Cloud Bigtable   cluster projects/shop-prod/instances/shop-bigtable" in result.stdout
    assert "not seen" not in result.stdout


@pytest.mark.parametrize("words", [("repair", "CONFIG", "nowhere", "k"), ("repair", "CONFIG", TABLE, "\\xZZ")])
def test_a_row_that_cannot_be_meant_is_refused(to_bigtable: Pair, words: tuple[str, ...]) -> None:
    result = to_bigtable.run(*words, "--confirm", words[-1])
    assert result.exit_code == 3 and "refused" in result.stderr


def test_between_two_clusters_rows_are_repaired_by_synctable(pair: Pair) -> None:
    result = pair.run("repair", "CONFIG", "shop:orders", "k", "--confirm", "k")
    assert result.exit_code == 3 and "SyncTable" in result.stderr


@given(st.binary(max_size=40))
def test_a_shown_key_is_read_back(key: bytes) -> None:
    assert key_of(shown(key)) == key
