"""Jobs on the simulated edge nodes: what the real tools print, count and refuse."""

from __future__ import annotations

from simulated_pair import EXPORT, HASHES, MAPREDUCE, ORDERS, SOURCE, TARGET, Pair

from hbase_ferry.cluster.simulator.hdfs import Archived
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.view import JobPhase


def text_of(pair: Pair, job: str, side: Side = SOURCE) -> str:
    return str(pair.call(side, "job.read", id=job, offset=0, max=1_000_000).text)


def with_snapshot() -> Pair:
    pair = Pair()
    pair.snapshot()
    return pair


def started_export(pair: Pair) -> str:
    """An export that runs; the archive folder it fills."""
    pair.start(SOURCE, "e", "hbase", EXPORT, "-snapshot", "s", "-copy-to", pair.root(TARGET))
    return pair.root(TARGET) + "/archive/data/shop/orders"


def archived(pair: Pair, folder: str) -> int:
    return int(pair.call(TARGET, "hdfs.usage", paths=[folder]).others[0].bytes)


def test_an_export_fills_the_targets_archive_while_it_runs() -> None:
    pair = with_snapshot()
    total = pair.call(SOURCE, "snapshots.stats", names=["s"]).items[0].bytes
    folder = started_export(pair)
    assert not pair.call(TARGET, "hdfs.usage", paths=[folder]).others[0].exists
    seen = [0]
    while pair.call(SOURCE, "job.state", id="e").phase is JobPhase.RUNNING:
        pair.wait(10)
        seen.append(archived(pair, folder))
        assert seen[-1] >= seen[-2]
    assert len(set(seen)) > 8
    assert seen[-1] == total > 4 * 10**10
    done = pair.call(SOURCE, "job.state", id="e")
    assert (done.exit_code, done.counters["BYTES_COPIED"], done.counters["COPY_FAILED"]) == (0, total, 0)
    assert "Export Completed: s" in done.tail[-1]
    there = pair.call(TARGET, "snapshots.stats", names=["s"]).items[0]
    assert (there.bytes, there.shared_bytes, there.archived_bytes, there.corrupt) == (total, 0, total, False)


def test_the_log_has_the_lines_of_the_real_one_in_its_order() -> None:
    pair = with_snapshot()
    pair.export("e")
    text = text_of(pair, "e")
    lines = ("Verify the source snapshot's expiration status and integrity.", "Copy Snapshot Manifest from",
             "Loading Snapshot 's' hfile list", "Submitted application application_", "Running job: job_",
             " map 0% reduce 0%", " map 100% reduce 0%", "completed successfully", "BYTES_COPIED=",
             "Finalize the Snapshot Export", "Export Completed: s")  # fmt: skip
    places = [text.index(line) for line in lines]
    assert places == sorted(places)
    assert pair.call(SOURCE, "job.state", id="e").application_id.startswith("application_")


def test_bandwidth_and_mappers_limit_an_export() -> None:
    pair = with_snapshot()
    folder = started_export(pair)
    slow = Pair()
    slow.snapshot()
    slow.start(SOURCE, "e", "hbase", EXPORT, "-snapshot", "s", "-copy-to", slow.root(TARGET),
               "-bandwidth", "10", "-mappers", "4")  # fmt: skip
    pair.wait(60)
    slow.wait(60)
    assert archived(pair, folder) > 5 * archived(slow, folder) > 0


def test_a_killed_export_leaves_its_manifest_and_the_next_run_says_so() -> None:
    pair = with_snapshot()
    folder = started_export(pair)
    pair.wait(30)
    stopped = pair.call(SOURCE, "job.stop", id="e")
    assert (stopped.phase, stopped.exit_code) == (JobPhase.DONE, 143)
    copied = archived(pair, folder)
    pair.wait(30)
    assert archived(pair, folder) == copied > 0
    assert pair.call(TARGET, "hdfs.usage", paths=[pair.root(TARGET) + "/.hbase-snapshot/.tmp/s"]).others[0].exists
    again = pair.export("again")
    assert again.exit_code == 1
    assert "A snapshot with the same name 's' may be in-progress" in text_of(pair, "again")
    done = pair.export("third", "s", "-overwrite")
    assert done.exit_code == 0
    assert done.counters["FILES_SKIPPED"] > 0
    assert done.counters["BYTES_COPIED"] + done.counters["BYTES_SKIPPED"] > 4 * 10**10


def test_a_dead_client_leaves_work_on_yarn_that_ends_without_a_snapshot() -> None:
    pair = with_snapshot()
    folder = started_export(pair)
    pair.wait(30)
    pair.world.fault(SOURCE, "client_dies", job="e")
    lost = pair.call(SOURCE, "job.state", id="e")
    assert (lost.phase, lost.exit_code) == (JobPhase.LOST, None)
    pair.wait(200)
    assert archived(pair, folder) == pair.call(SOURCE, "snapshots.stats", names=["s"]).items[0].bytes
    assert not pair.call(TARGET, "snapshots.list", max=10).items
    assert pair.call(SOURCE, "job.state", id="e") == lost
    again = pair.export("again", "s", "-overwrite")
    assert again.succeeded
    assert again.counters["BYTES_COPIED"] == 0


def test_an_existing_snapshot_on_the_target_is_refused() -> None:
    pair = with_snapshot()
    assert pair.export("e").exit_code == 0
    assert pair.export("twice").exit_code == 1
    assert "The snapshot 's' already exists in the destination: hdfs://emr6/hbase/.hbase-snapshot/s" in text_of(
        pair, "twice"
    )


def test_a_failing_export_removes_its_manifests_and_keeps_the_files() -> None:
    pair = with_snapshot()
    folder = started_export(pair)
    pair.wait(30)
    pair.world.fault(SOURCE, "job_fails", job="e")
    failed = pair.finished(SOURCE, "e")
    assert (failed.phase, failed.exit_code) == (JobPhase.DONE, 1)
    assert "Snapshot export failed" in text_of(pair, "e")
    assert not pair.world.clusters[TARGET].area.tmp
    assert not pair.call(TARGET, "snapshots.list", max=10).items
    assert archived(pair, folder) > 0
    assert pair.export("again").succeeded


def test_an_export_to_a_target_that_goes_away_fails() -> None:
    pair = with_snapshot()
    started_export(pair)
    pair.wait(30)
    pair.world.fault(TARGET, "network")
    assert pair.finished(SOURCE, "e").exit_code == 1


def test_an_unknown_snapshot_and_missing_options_end_with_1() -> None:
    pair = Pair()
    assert pair.export("e", "nothing").exit_code == 1
    assert "CorruptedSnapshotException: Couldn't read snapshot info" in text_of(pair, "e")
    assert pair.run(SOURCE, "n", "hbase", EXPORT, "-copy-to", pair.root(TARGET)).exit_code == 1
    assert "Missing required option: snapshot" in text_of(pair, "n")


def test_the_cleaner_of_an_old_target_eats_a_half_copied_export_unless_skip_tmp() -> None:
    limits = ("-bandwidth", "10", "-mappers", "4")
    for version, option, succeeds in (
        ("2.2.7", (), False), ("2.2.7", ("-Dsnapshot.export.skip.tmp=true",), True), ("2.6.1", (), True)
    ):  # fmt: skip
        pair = Pair(target_version=version, rate=10, busy=False)
        pair.snapshot()
        done = pair.run(SOURCE, "e", "hbase", EXPORT, *option, "-snapshot", "s", "-copy-to", pair.root(TARGET), *limits)
        assert done.succeeded is succeeds, (version, option)


def test_files_that_nothing_needs_leave_the_targets_archive_after_the_ttl() -> None:
    pair = with_snapshot()
    folder = started_export(pair)
    pair.wait(30)
    pair.world.fault(SOURCE, "job_fails", job="e")
    pair.finished(SOURCE, "e")
    assert archived(pair, folder) > 0
    pair.wait(420)
    assert archived(pair, folder) == 0


def test_restored_tables_keep_their_files_after_the_snapshot_is_deleted() -> None:
    pair = Pair()
    pair.cross()
    pair.call(TARGET, "snapshot.delete", name="s")
    pair.wait(600)
    assert archived(pair, pair.root(TARGET) + "/archive/data/shop/orders") > 4 * 10**10


def test_an_import_through_a_staging_folder_brings_the_same_snapshot() -> None:
    pair = with_snapshot()
    stage, copy = "hdfs://prod-bj/staging", "hdfs://emr6/staging"
    assert pair.run(SOURCE, "out", "hbase", EXPORT, "-snapshot", "s", "-copy-to", stage).succeeded
    assert not pair.call(TARGET, "snapshots.list", max=10).items
    assert pair.run(SOURCE, "copy", "hadoop", "distcp", "-Dk=v", "-update", "-skipcrccheck", stage, copy).succeeded
    assert pair.run(TARGET, "in", "hbase", EXPORT, "-snapshot", "s", "-copy-from", copy, "-copy-to",
                    pair.root(TARGET)).succeeded  # fmt: skip
    assert pair.restore().changed
    assert pair.run(SOURCE, "rm", "hbase", "org.apache.hadoop.fs.FsShell", "-rm", "-r", "-f", "-skipTrash",
                    stage).succeeded  # fmt: skip
    assert not pair.call(SOURCE, "hdfs.usage", paths=[stage]).others[0].exists


def test_jindo_distcp_copies_with_its_own_options() -> None:
    pair = with_snapshot()
    assert pair.run(SOURCE, "out", "hbase", EXPORT, "-snapshot", "s", "-copy-to", "oss://b.r.oss-dls/st").succeeded
    done = pair.run(SOURCE, "copy", "hadoop", "jar", "jindo-distcp-tool-6.jar", "--src", "oss://b.r.oss-dls/st",
                    "--dest", "hdfs://emr6/st", "--disableChecksum", "--parallelism", "10")  # fmt: skip
    assert done.succeeded
    assert done.counters["BYTESCOPIED"] > 4 * 10**10


def test_a_half_archived_snapshot_is_reported_as_corrupt_and_not_restored() -> None:
    pair = with_snapshot()
    assert pair.export().succeeded
    files: dict[str, Archived] = pair.world.clusters[TARGET].area.archive[ORDERS]
    files.pop(sorted(files)[0])
    stats = pair.call(TARGET, "snapshots.stats", names=["s"]).items[0]
    assert stats.corrupt
    assert stats.missing_files == 1


def test_verify_replication_misses_a_target_only_row_before_a_regions_first_source_row() -> None:
    pair = Pair()
    pair.cross()
    pair.stop_and_drain()
    table = pair.world.clusters[SOURCE].tables[ORDERS]
    first = table.regions[3].start
    for side in (SOURCE, TARGET):
        pair.world.fault(side, "corrupt_row", table=ORDERS, row=first, delete=True)
    pair.world.clusters[TARGET].tables[ORDERS].rows.over[first] = (1, 1, 0, 1, 1, 0)
    pair.world.fault(TARGET, "corrupt_row", table=ORDERS, row=first + 1)
    pair.world.fault(TARGET, "corrupt_row", table=ORDERS, row=first + 2, delete=True)
    seen = pair.verify()
    assert seen.exit_code == 0
    assert seen.counters["BADROWS"] == 2
    assert seen.counters["CONTENT_DIFFERENT_ROWS"] == seen.counters["ONLY_IN_SOURCE_TABLE_ROWS"] == 1
    assert "ONLY_IN_PEER_TABLE_ROWS" not in seen.counters
    strong = pair.sync()
    assert strong.exit_code == 0
    assert strong.counters["ROWSWITHDIFFS"] == 3
    assert strong.counters["SOURCEMISSINGROWS"] == strong.counters["TARGETMISSINGROWS"] == 1
    assert f"ONLY_IN_SOURCE_TABLE_ROWS, rowkey={first + 2:08d}" in text_of(pair, "verify")


def test_a_target_only_row_behind_a_source_row_is_seen_by_verify_replication() -> None:
    pair = Pair()
    pair.cross()
    pair.stop_and_drain()
    pair.world.fault(SOURCE, "corrupt_row", table=ORDERS, row=7, delete=True)
    assert pair.verify().counters["ONLY_IN_PEER_TABLE_ROWS"] == 1


def test_sync_table_without_dry_run_repairs() -> None:
    pair = Pair()
    pair.cross()
    pair.stop_and_drain()
    pair.world.fault(TARGET, "corrupt_row", table=ORDERS, row=7)
    pair.run(SOURCE, "h", "hbase", MAPREDUCE + "HashTable", ORDERS, HASHES)
    pair.run(TARGET, "y", "hbase", MAPREDUCE + "SyncTable", f"--sourcezkcluster={pair.key(SOURCE)}", HASHES,
             ORDERS, ORDERS)  # fmt: skip
    assert not pair.differences().rows


def test_a_row_counter_that_misses_its_expectation_ends_with_1() -> None:
    pair = Pair()
    done = pair.run(SOURCE, "c", "hbase", MAPREDUCE + "RowCounter", ORDERS, "--expectedCount=5")
    assert done.exit_code == 1
    assert "does not match expected count of '5'" in done.tail[-1]


def test_an_end_time_hides_what_was_written_after_it() -> None:
    pair = Pair()
    pair.wait(30)
    end = pair.world.now_ms
    counted = "hbase", MAPREDUCE + "RowCounter", ORDERS, f"--endtime={end}"
    pair.wait(10)
    first = pair.run(SOURCE, "one", *counted).counters["ROWS"]
    pair.wait(60)
    assert pair.run(SOURCE, "two", *counted).counters["ROWS"] <= first < 200_001


def test_small_commands_end_as_a_shell_would_end_them() -> None:
    pair = Pair()
    assert pair.run(SOURCE, "t", "true").exit_code == 0
    assert pair.run(SOURCE, "f", "/bin/false").exit_code == 1
    assert pair.run(SOURCE, "u", "no-such-tool", "x").exit_code == 127
    assert pair.start(SOURCE, "z", "sleep", "30").phase is JobPhase.RUNNING
    pair.wait(31)
    slept = pair.call(SOURCE, "job.state", id="z")
    assert slept.exit_code == 0
    assert slept.ended_ms - slept.started_ms == 30_000


def test_a_job_starts_once_and_is_found_by_prefix() -> None:
    pair = Pair()
    first = pair.start(SOURCE, "m.sleep", "sleep", "30")
    assert pair.start(SOURCE, "m.sleep", "true") == first
    pair.start(SOURCE, "other", "true")
    assert [job.id for job in pair.call(SOURCE, "job.list", prefix="m.").items] == ["m.sleep"]
    assert pair.call(TARGET, "job.state", id="m.sleep").phase is JobPhase.NONE


def test_a_lost_job_has_no_exit_code() -> None:
    pair = Pair()
    pair.start(SOURCE, "z", "sleep", "30")
    pair.world.fault(SOURCE, "job_lost", job="z")
    lost = pair.call(SOURCE, "job.state", id="z")
    assert (lost.phase, lost.exit_code) == (JobPhase.LOST, None)


def test_a_job_goes_on_while_its_edge_node_cannot_be_reached() -> None:
    pair = with_snapshot()
    started_export(pair)
    pair.world.fault(SOURCE, "unreachable")
    pair.wait(300)
    pair.world.heal(SOURCE, "unreachable")
    assert pair.call(SOURCE, "job.state", id="e").succeeded


def test_output_is_read_from_an_offset() -> None:
    pair = Pair()
    pair.run(SOURCE, "e", "echo", "héllo")
    whole = pair.call(SOURCE, "job.read", id="e", offset=0, max=100)
    assert (whole.text, whole.next_offset) == ("héllo\n", 7)
    rest = pair.call(SOURCE, "job.read", id="e", offset=7, max=100)
    assert (rest.text, rest.next_offset) == ("", 7)
