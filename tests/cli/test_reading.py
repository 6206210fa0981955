"""The commands that change nothing: check, plan, status, journal; and the red button's first half."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.pair import Pair

from hbase_ferry.model.cluster import Side


def test_check_lists_every_finding_and_counts_them(pair: Pair) -> None:
    result = pair.run("check", "CONFIG")
    assert result.exit_code == 0, result.stderr
    assert "ok       peer-free" in result.stdout
    assert result.stdout.splitlines()[-1].endswith(" 0 block")
    found = pair.json("check", "CONFIG")
    assert found["counts"]["block"] == 0 and found["counts"]["ok"] > 10
    assert {"check", "severity", "text"} == set(found["findings"][0])
    assert sum(found["counts"].values()) == len(found["findings"])


def test_check_refuses_with_3_where_something_blocks(pair: Pair) -> None:
    pair.config.write_text(pair.config.read_text().replace("shop:orders", "shop:nowhere"))
    result = pair.run("check", "CONFIG")
    assert result.exit_code == 3
    assert any(line.startswith("block    source-tables") for line in result.stdout.splitlines())


def test_check_and_status_tell_what_they_saw_and_end_with_5_where_a_side_is_silent(pair: Pair) -> None:
    pair.world.fault(Side.SOURCE, "unreachable")
    for command in ("check", "status"):
        result = pair.run(command, "CONFIG")
        assert result.exit_code == 5
        assert "not reached: prod-bj (source): " in result.stderr
        assert "emr6" in result.stdout


def test_a_side_that_answers_late_is_waited_for(pair: Pair) -> None:
    pair.world.fault(Side.TARGET, "unreachable")
    pair.world.at(pair.world.now_ms + 1500, lambda: pair.world.faults.heal(Side.TARGET, "unreachable"))
    result = pair.run("check", "CONFIG")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.startswith("waiting for emr6 (target): ")


def test_status_shows_both_sides_the_peers_in_true_words_and_what_comes_next(pair: Pair) -> None:
    pair.run("run", "CONFIG", "--until", "queues")
    result = pair.run("status", "CONFIG")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert any(line.startswith("SOURCE prod-bj   HBase 2.4.17   cluster ") for line in lines)
    assert any(line.startswith("TARGET emr6   HBase 2.6.1   cluster ") for line in lines)
    assert any(line.startswith("  peer      ferry_orders  disabled  to ") for line in lines)
    assert any(line.startswith("  peer      dr_backup  idle  to ") for line in lines)
    assert lines[-1] == f"next: scope:shop:orders: hbase-ferry run {pair.config} --until scope:shop:orders"

    found = pair.json("status", "CONFIG")
    assert found["run"] == "000007" and found["next"] == "scope:shop:orders"
    truth = {entry["peer"]["id"]: entry["truth"]["state"] for entry in found["source"]["peers"]}
    assert truth == {"ferry_orders": "disabled", "dr_backup": "idle"}
    assert found["source"]["disk"]["value"]["capacity"] > 0


def test_status_names_the_confirmation_that_the_next_step_needs(pair: Pair) -> None:
    pair.run("run", "CONFIG")
    assert pair.run("status", "CONFIG").stdout.splitlines()[-1] == (
        f"next: stop-writers: hbase-ferry run {pair.config} --until stop-writers --confirm stop-writers"
    )


def test_the_plan_answers_without_any_connection_and_says_what_it_did_not_look_at(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("an offline plan builds no connection")

    monkeypatch.setattr("hbase_ferry.wiring.build", refuse)
    result = pair.run("plan", "CONFIG", "--offline")
    assert result.exit_code == 0, result.stderr
    assert "not seen: prod-bj: everything: not looked at (--offline)" in result.stdout
    assert "not seen: emr6: everything: not looked at (--offline)" in result.stdout
    assert "add_peer 'ferry_orders', CLUSTER_KEY => '<" in result.stdout
    assert "(still lacks target cluster key)" in result.stdout
    found = pair.json("plan", "CONFIG", "--offline")
    assert len(found["not_seen"]) == 2
    assert [step["number"] for step in found["steps"]] == list(range(1, len(found["steps"]) + 1))
    assert all(step["why"] and step["risk"] for step in found["steps"])
    assert not pair.journal.exists()


def test_the_plan_also_answers_where_a_cluster_is_away(pair: Pair) -> None:
    pair.world.fault(Side.TARGET, "unreachable")
    result = pair.run("plan", "CONFIG")
    assert result.exit_code == 0
    assert "not seen: emr6: everything: " in result.stdout
    assert "not seen: prod-bj" not in result.stdout


def test_the_plan_with_a_connection_has_the_real_values_and_marks_what_is_done(pair: Pair) -> None:
    pair.run("run", "CONFIG", "--until", "queues")
    steps = {step["id"]: step for step in pair.json("plan", "CONFIG")["steps"]}
    add = steps["add-peer"]
    assert add["state"] == "done" and add["runs"][0]["done"] is True and add["runs"][0]["unknown"] == []
    assert "2181:/hbase" in add["runs"][0]["command"]
    assert add["undo"], "an existing peer can be taken back"
    assert steps["remove-peer"]["risk"] == "destructive"
    text = pair.run("plan", "CONFIG").stdout
    assert "\nnot seen: " not in text and " 3  add-peer  [done]" in text and "(done)" in text


def test_reading_commands_leave_no_file_behind(pair: Pair, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    for command in ("check", "plan", "status", "journal"):
        pair.run(command, "CONFIG")
    assert set(tmp_path.iterdir()) == before


def test_the_journal_tells_what_happened_and_connects_to_nothing(pair: Pair) -> None:
    empty = pair.run("journal", "CONFIG")
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert empty.stderr == "nothing has happened yet in this migration\n"
    pair.run("run", "CONFIG", "--until", "add-peer")
    for side in Side:
        pair.world.fault(side, "unreachable")
    result = pair.run("journal", "CONFIG")
    assert result.exit_code == 0
    assert "intent        add-peer              prod-bj: add_peer 'ferry_orders'" in result.stdout
    events = pair.events()
    assert len(events) == len(result.stdout.splitlines())
    assert [event["number"] for event in events] == list(range(1, len(events) + 1))


def test_the_red_button_shows_the_cost_first_and_wants_the_id_again(pair: Pair) -> None:
    pair.run("run", "CONFIG", "--until", "queues")
    shown = pair.run("remove-peer", "CONFIG", "ferry_orders")
    assert shown.exit_code == 3
    assert "will run: remove_peer 'ferry_orders'" in shown.stderr
    assert shown.stderr.splitlines()[-1] == (
        f"nothing was sent; to do it: hbase-ferry remove-peer {pair.config} ferry_orders --confirm ferry_orders"
    )
    wrong = pair.run("remove-peer", "CONFIG", "ferry_orders", "--confirm", "ferry_order")
    assert wrong.exit_code == 3
    assert "has to be confirmed by typing ferry_orders" in wrong.stderr
    peers = {entry["peer"]["id"] for entry in pair.json("status", "CONFIG")["source"]["peers"]}
    assert peers == {"ferry_orders", "dr_backup"}
    done = pair.run("remove-peer", "CONFIG", "ferry_orders", "--confirm", "ferry_orders")
    assert done.exit_code == 0, done.stderr
    peers = {entry["peer"]["id"] for entry in pair.json("status", "CONFIG")["source"]["peers"]}
    assert peers == {"dr_backup"}


def test_a_target_that_is_away_stops_neither_the_red_button_nor_an_undo_on_the_source(pair: Pair) -> None:
    pair.run("run", "CONFIG", "--until", "scope:shop:orders")
    pair.world.faults.inject(Side.TARGET, "unreachable")
    undone = pair.run("run", "CONFIG", "--undo", "scope:shop:orders")
    assert undone.exit_code == 0, undone.stderr
    assert pair.run("remove-peer", "CONFIG", "ferry_orders").exit_code == 3
    done = pair.run("remove-peer", "CONFIG", "ferry_orders", "--confirm", "ferry_orders")
    assert done.exit_code == 0, done.stderr
    peers = {entry["peer"]["id"] for entry in pair.json("status", "CONFIG")["source"]["peers"]}
    assert peers == {"dr_backup"}


def test_without_the_source_the_red_button_says_that_it_is_not_reached(pair: Pair) -> None:
    pair.run("run", "CONFIG", "--until", "queues")
    pair.world.faults.inject(Side.SOURCE, "unreachable")
    result = pair.run("remove-peer", "CONFIG", "ferry_orders", "--confirm", "ferry_orders")
    assert result.exit_code == 5
    assert "prod-bj (source)" in result.stderr


def test_a_peer_that_is_not_there_is_refused(pair: Pair) -> None:
    result = pair.run("remove-peer", "CONFIG", "nobody", "--confirm", "nobody")
    assert result.exit_code == 3
    assert "refused: prod-bj has no peer nobody" in result.stderr


@pytest.mark.parametrize("command", ["check", "plan", "status", "run", "journal", "console"])
def test_every_command_names_every_problem_of_a_bad_configuration(pair: Pair, command: str) -> None:
    pair.config.write_text("name: [x]\npeer_id: a-b\x85\n")
    result = pair.run(command, "CONFIG")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 5
    assert all(line.startswith(f"{pair.config}") for line in result.stderr.splitlines())


def test_a_missing_file_with_a_hostile_name_is_shown_harmlessly(pair: Pair) -> None:
    result = pair.run("status", "x\x1b]0;a\x07\u202e[red].yaml")
    assert result.exit_code == 2
    assert result.stderr == "x\\x1b]0;a\\x07\\u202e[red].yaml: no such file\n"
