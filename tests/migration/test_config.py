"""Configuration: what a good file becomes, and what a bad one is told."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hbase_ferry.errors import ConfigError
from hbase_ferry.migration import config, config_schema
from hbase_ferry.migration.bigtable.settings import (
    BackfillEngine,
    BackfillSettings,
    BigtableSettings,
    CompareEngine,
    CompareSettings,
    WayBackSettings,
)
from hbase_ferry.migration.settings import (
    ExportSettings,
    GateSettings,
    Settings,
    SideSettings,
    SshSettings,
    TableSettings,
    TransportKind,
    VerifySettings,
)
from hbase_ferry.model.text import safe_text

BAD = Path(__file__).parent.parent / "bad_configs"
SAMPLES = Path(__file__).parents[2] / "sample_configs"
GOOD = """
name: orders to emr6
source: {name: prod-bj}
target: {name: emr6, hbase: emr6/bin/hbase}
tables: [orders]
peer_id: ferry_orders
"""

FULL = """
name: orders to emr6
source:
  name: prod-bj
  hbase: "/opt/hbase/bin/hbase --config '/etc/hbase conf'"
  agent: [/usr/bin/env, hbase, org.jruby.Main]
  env: {HBASE_HEAPSIZE: 512, HBASE_DISABLE: true, EMPTY: ""}
  work_dir: /var/tmp/ferry
  rootdir: hdfs://nn1:8020/hbase
  cluster_key: "zk1,zk2:2181:/hbase"
  thrift: edge1:9090
target:
  name: emr6
  transport: ssh
  ssh: {host: edge6.example.com, port: 2222, user: ferry, key_file: ~/.ssh/ferry, known_hosts: hosts,
        connect_timeout_seconds: 5}
tables:
  - default:orders
  - {name: "shop:users", families: [cf, info]}
peer_id: ferry_orders.1
peer_bandwidth: 1000000
peer_serial: true
export:
  mappers: 4
  bandwidth_mb: 20
  skip_tmp: false
  checksum_verify: true
  chuser: hbase
  chgroup: hadoop
  options: {mapreduce.map.memory.mb: 2048, x.fraction: 1.50, x.flag: false}
  staging_source: hdfs:///tmp/staging
  staging_target: oss://bucket.region.oss-dls.aliyuncs.com/staging
  copy_tool: hadoop jar jindo-distcp-tool-4.6.11.jar
verify: {verify_replication: true, row_counts: false, hash_dir: "hdfs://nn1:8020/tmp/h", live_tolerance: 0}
gates: {max_lag_ms: 1000, still_seconds: 5, min_free_fraction: 0.2, max_age_seconds: 30}
poll_seconds: 2
journal: ~/ferry.journal
"""

TO_BIGTABLE = """
name: orders to bigtable
source: {name: prod-bj}
target:
  name: bt-prod
  bigtable:
    project: shop-prod
    instance: shop-bigtable
    app_profile: ferry-single
    key_file: ~/ferry.json
    endpoint: com.example.OwnEndpoint
    library: own-bigtable
    dry_run: true
    dry_run_seconds: 3600
    protect: true
    way_back: {hbase_qualifier: SOURCE_HBASE, cbt_qualifier: SOURCE_CBT}
    backfill:
      engine: importsnapshot
      rows_per_range: 1000
      jar: /opt/bigtable-beam-import-shaded.jar
      extra_jars: [/opt/more.jar]
      java: java -Xmx2g
      runner: DataflowRunner
      region: europe-west1
      export_dir: gs://shop-ferry/history
      temp_dir: gs://shop-ferry/temp
      service_account: ferry@shop-prod.iam.gserviceaccount.com
      options: {maxNumWorkers: 20, usePublicIps: false, subnetwork: regions/europe-west1/subnetworks/s}
    compare: {engine: sync-table, rows_per_range: 2000, live_share: 0.5, recheck_seconds: 60, versions: 1}
tables: [orders]
peer_id: ferry_orders
verify: {hash_dir: "gs://shop-ferry/hashes"}
"""


def expectations(path: Path) -> list[tuple[int, str, str]]:
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"# expect: (\d+): ([^:]*): (.*)", line)
        if match:
            found.append((int(match[1]), match[2], match[3]))
    return found


@pytest.mark.parametrize("path", sorted(BAD.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_broken_configuration_is_told_exactly_what_is_wrong_and_where(path: Path) -> None:
    expected = expectations(path)
    assert expected, "a broken configuration must say what is expected"
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    problems = caught.value.problems
    told = "\n".join(map(str, problems))
    assert [(p.line, p.key) for p in problems] == [(line, key) for line, key, _ in expected], told
    for problem, (_, _, text) in zip(problems, expected, strict=True):
        assert text in problem.message, told
        assert problem.file == str(path)


def test_there_are_at_least_thirty_broken_configurations() -> None:
    assert len(list(BAD.glob("*.yaml"))) >= 30


def test_every_message_can_be_shown_as_it_is() -> None:
    for path in BAD.glob("*.yaml"):
        with pytest.raises(ConfigError) as caught:
            config.load(path)
        for line in str(caught.value).splitlines():
            assert line == safe_text(line)


def test_a_short_file_gets_every_default() -> None:
    read = config.parse(GOOD, "good.yaml")
    assert read == Settings(
        name="orders to emr6",
        source=SideSettings("prod-bj"),
        target=SideSettings("emr6", hbase=("emr6/bin/hbase",)),
        tables=(TableSettings("orders"),),
        peer_id="ferry_orders",
        file="good.yaml",
    )


def test_every_key_reaches_the_settings() -> None:
    home = os.path.expanduser("~")
    assert config.parse(FULL, "full.yaml") == Settings(
        name="orders to emr6",
        source=SideSettings(
            name="prod-bj",
            hbase=("/opt/hbase/bin/hbase", "--config", "/etc/hbase conf"),
            agent=("/usr/bin/env", "hbase", "org.jruby.Main"),
            env={"HBASE_HEAPSIZE": "512", "HBASE_DISABLE": "true", "EMPTY": ""},
            work_dir="/var/tmp/ferry",
            rootdir="hdfs://nn1:8020/hbase",
            cluster_key="zk1,zk2:2181:/hbase",
            thrift="edge1:9090",
        ),
        target=SideSettings(
            name="emr6",
            transport=TransportKind.SSH,
            ssh=SshSettings("edge6.example.com", 2222, "ferry", f"{home}/.ssh/ferry", "hosts", 5.0),
        ),
        tables=(TableSettings("orders"), TableSettings("shop:users", ("cf", "info"))),
        peer_id="ferry_orders.1",
        peer_bandwidth=1_000_000,
        peer_serial=True,
        export=ExportSettings(
            mappers=4,
            bandwidth_mb=20,
            skip_tmp=False,
            checksum_verify=True,
            chuser="hbase",
            chgroup="hadoop",
            options={"mapreduce.map.memory.mb": "2048", "x.fraction": "1.50", "x.flag": "false"},
            staging_source="hdfs:///tmp/staging",
            staging_target="oss://bucket.region.oss-dls.aliyuncs.com/staging",
            copy_tool=("hadoop", "jar", "jindo-distcp-tool-4.6.11.jar"),
        ),
        verify=VerifySettings(True, False, hash_dir="hdfs://nn1:8020/tmp/h", live_tolerance=0.0),
        gates=GateSettings(1000, 5.0, min_free_fraction=0.2, max_age_seconds=30.0),
        poll_seconds=2.0,
        journal=f"{home}/ferry.journal",
        file="full.yaml",
    )


def test_every_key_of_a_bigtable_target_reaches_the_settings() -> None:
    read = config.parse(TO_BIGTABLE, "bigtable.yaml")
    assert read.target == SideSettings(
        name="bt-prod",
        bigtable=BigtableSettings(
            project="shop-prod",
            instance="shop-bigtable",
            app_profile="ferry-single",
            key_file=os.path.expanduser("~/ferry.json"),
            endpoint="com.example.OwnEndpoint",
            library="own-bigtable",
            dry_run=True,
            dry_run_seconds=3600.0,
            protect=True,
            way_back=WayBackSettings("SOURCE_HBASE", "SOURCE_CBT"),
            backfill=BackfillSettings(
                engine=BackfillEngine.IMPORTSNAPSHOT,
                rows_per_range=1000,
                jar="/opt/bigtable-beam-import-shaded.jar",
                extra_jars=("/opt/more.jar",),
                java=("java", "-Xmx2g"),
                runner="DataflowRunner",
                region="europe-west1",
                export_dir="gs://shop-ferry/history",
                temp_dir="gs://shop-ferry/temp",
                service_account="ferry@shop-prod.iam.gserviceaccount.com",
                options={
                    "maxNumWorkers": "20",
                    "usePublicIps": "false",
                    "subnetwork": "regions/europe-west1/subnetworks/s",
                },
            ),
            compare=CompareSettings(CompareEngine.SYNC_TABLE, 2000, 0.5, 60.0, 1),
        ),
    )
    assert read.verify.hash_dir == "gs://shop-ferry/hashes"


def test_an_emulator_needs_no_more_than_its_address() -> None:
    short = "{name: lab, bigtable: {project: lab-project, instance: lab-instance, emulator: 'localhost:8086'}}"
    read = config.parse(GOOD.replace("{name: emr6, hbase: emr6/bin/hbase}", short))
    assert read.target.kind == "bigtable"
    assert read.target.bigtable == BigtableSettings("lab-project", "lab-instance", emulator="localhost:8086")


def test_the_default_namespace_is_no_namespace_to_bigtable() -> None:
    text = TO_BIGTABLE.replace("tables: [orders]", 'tables: ["default:orders"]')
    assert config.parse(text).tables == (TableSettings("orders"),)


def test_the_pipelines_on_this_machine_need_neither_a_region_nor_cloud_storage() -> None:
    text = TO_BIGTABLE.replace("DataflowRunner", "DirectRunner").replace("importsnapshot", "import")
    text = text.replace("region: europe-west1", "").replace("gs://shop-ferry", "file:///tmp/ferry")
    read = config.parse(text)
    assert read.target.bigtable is not None and not read.target.bigtable.backfill.region


def test_the_full_files_above_name_every_key_there_is_but_those_shown_elsewhere() -> None:
    import yaml

    def walk(cls: type, given: object) -> set[str]:
        known = set(config_schema.keys_of(cls))
        return known - set(given) if isinstance(given, dict) else known

    own = yaml.safe_load(TO_BIGTABLE)["target"]["bigtable"]
    assert walk(BigtableSettings, own) == {"emulator"}
    for cls, key in ((BackfillSettings, "backfill"), (CompareSettings, "compare"), (WayBackSettings, "way_back")):
        assert not walk(cls, own[key]), key
    given = yaml.safe_load(FULL)
    left = (
        walk(Settings, given)
        | walk(SideSettings, given["source"])
        | walk(SshSettings, given["target"]["ssh"])
    )
    left |= walk(ExportSettings, given["export"]) | walk(VerifySettings, given["verify"])
    left |= walk(GateSettings, given["gates"])
    assert left == {"transport", "ssh", "bigtable", "options", "canary_timeout_seconds", "min_runway_hours"}


def test_a_home_is_expanded_in_a_local_command_and_left_to_the_edge_node_otherwise() -> None:
    text = GOOD.replace("{name: prod-bj}", "{name: prod-bj, hbase: ~/hbase/bin/hbase}")
    assert config.parse(text).source.hbase == (os.path.expanduser("~/hbase/bin/hbase"),)
    remote = text.replace("{name: prod-bj,", "{name: prod-bj, transport: ssh, ssh: {host: edge},")
    assert config.parse(remote).source.hbase == ("~/hbase/bin/hbase",)


@pytest.mark.parametrize(
    "name", ["orders", "a.b-c_d", "_x", "1", "订单", "größe", "café", "ns_1:orders", "ٱلطلبات"]
)
def test_a_table_name_that_hbase_takes_is_taken(name: str) -> None:
    assert config.parse(GOOD.replace("[orders]", f'["{name}"]')).tables == (TableSettings(name),)


@pytest.mark.parametrize(
    "key", ["zk1,zk2:2181:/hbase", "zk1:2181,zk2:2182:2181:/hbase-1", "localhost:20181:/hbase-source"]
)
def test_a_cluster_key_is_taken_in_both_spellings_of_the_quorum(key: str) -> None:
    read = config.parse(GOOD.replace("{name: prod-bj}", f'{{name: prod-bj, cluster_key: "{key}"}}'))
    assert read.source.cluster_key == key


def test_a_simulated_pair_may_look_alike() -> None:
    text = GOOD.replace("{name: prod-bj}", "{name: a, transport: simulated}")
    text = text.replace("{name: emr6, hbase: emr6/bin/hbase}", "{name: b, transport: simulated}")
    assert config.parse(text).target.transport is TransportKind.SIMULATED


def told(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    return str(caught.value)


def test_a_file_that_cannot_be_read_is_a_configuration_error(tmp_path: Path) -> None:
    assert told(tmp_path / "none.yaml").endswith("none.yaml: no such file")
    assert told(tmp_path).endswith("is not a regular file")
    assert told(Path("a\0b")) == "a\\x00b: no such file"
    assert "cannot be read: File name too long" in told(tmp_path / ("a" * 300))
    os.mkfifo(tmp_path / "pipe")
    assert told(tmp_path / "pipe").endswith("is not a regular file")


def test_a_file_that_is_too_large_or_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_bytes(b"# " + b"x" * 200_000)
    assert told(tmp_path / "large.yaml").endswith("large.yaml: is larger than 128 KiB")
    (tmp_path / "latin.yaml").write_bytes(b"name: a\nsource: {name: b\xfc}\n")
    assert told(tmp_path / "latin.yaml").endswith("latin.yaml:2: is not UTF-8: byte 0xfc")
    (tmp_path / "nul.yaml").write_bytes(b"name: a\n\0")
    assert told(tmp_path / "nul.yaml").endswith(
        "nul.yaml:2: holds the character U+0000, which YAML does not allow"
    )


def test_a_hostile_file_name_is_shown_harmlessly(tmp_path: Path) -> None:
    message = told(tmp_path / "a\x1b]0;x\x07\u202e[b].yaml")
    assert "\x1b" not in message and "\u202e" not in message
    assert message.endswith("a\\x1b]0;x\\x07\\u202e[b].yaml: no such file")


def settings_or_problems(text: str) -> None:
    try:
        read = config.parse(text, "any.yaml")
    except ConfigError as error:
        assert error.problems
        assert all(line == safe_text(line) for line in str(error).splitlines())
    else:
        assert isinstance(read, Settings) and dataclasses.is_dataclass(read)


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_any_text_is_settings_or_a_configuration_error(text: str) -> None:
    settings_or_problems(text)


SCRAPS = st.sampled_from(
    [*"[]{}:,&*!|>%@`'\"\n\t -?#", ": ", "\n  ", "- ", "<<: ", "&a ", "*a", "!!int ", "null", "1e999", "0x1f",
     ".nan", "\\UFFFFFFFF", "\ud800", "\x1b", "\u202e", "name", "source", "tables", "transport: ssh",
     "{name: x}", "=", "2024-01-01", "9" * 400, "%YAML 99.9\n---\n", "! a", "ssh: {}", "families", "x" * 300]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(SCRAPS, st.text(max_size=3)), max_size=40).map("".join), st.booleans())
def test_scraps_of_yaml_are_settings_or_a_configuration_error(scraps: str, after_good: bool) -> None:
    settings_or_problems(GOOD + scraps if after_good else scraps)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_good_file_with_one_line_changed_is_settings_or_a_configuration_error(data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from([FULL, TO_BIGTABLE])).splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    key, colon, _ = lines[number].partition(":")
    value = data.draw(
        st.one_of(st.text(max_size=20), st.sampled_from(["", "[]", "{}", "1", "no", "-1", "'", "[[a]]"]))
    )
    lines[number] = data.draw(st.sampled_from([f"{key}{colon} {value}", value, ""]))
    settings_or_problems("\n".join(lines))


def load_samples() -> list[Path]:
    return sorted(SAMPLES.glob("*.yaml"))


@pytest.mark.parametrize("path", load_samples(), ids=lambda path: path.stem)
def test_every_sample_loads(path: Path) -> None:
    read = config.load(path)
    assert read.file == str(path)
    assert read.source.name != read.target.name
