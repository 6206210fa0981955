"""The pydantic shape of a configuration, derived from the dataclasses of `settings` plus the rules below.

Invariant: field names, types and defaults have one home, `migration.settings`; here stands only which rule of
`config_rules` belongs to which field. Called by `config`.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter, create_model

from hbase_ferry.migration import config_rules as rules
from hbase_ferry.migration import names
from hbase_ferry.migration.bigtable import rules as bigtable
from hbase_ferry.migration.bigtable.settings import BackfillSettings, BigtableSettings, CompareSettings, WayBackSettings
from hbase_ferry.migration.config_rules import Rule
from hbase_ferry.migration.settings import (
    ExportSettings,
    GateSettings,
    Settings,
    SideSettings,
    SshSettings,
    TableSettings,
    VerifySettings,
)

_COUNT = rules.between(0, 10**12)
_SECONDS = rules.between(0.001, 86_400)

_RULES: Mapping[type, Mapping[str, Rule]] = {
    Settings: {
        "name": names.label,
        "tables": rules.tables,
        "peer_id": names.peer_id,
        "peer_bandwidth": _COUNT,
        "poll_seconds": rules.between(0.1, 3600),
        "journal": rules.local_path,
    },
    SideSettings: {
        "name": names.label,
        "hbase": rules.some_command,
        "env": rules.environment,
        "rootdir": rules.optional(rules.full_uri),
        "cluster_key": rules.optional(rules.cluster_key),
        "thrift": rules.optional(rules.host_and_port),
    },
    SshSettings: {
        "host": rules.host,
        "port": rules.port,
        "user": rules.optional(rules.user),
        "key_file": rules.local_path,
        "known_hosts": rules.local_path,
        "connect_timeout_seconds": rules.between(0.1, 600),
    },
    TableSettings: {"name": names.table_name, "families": rules.families},
    ExportSettings: {
        "mappers": rules.between(0, 10_000),
        "bandwidth_mb": rules.between(0, 1_000_000),
        "chuser": rules.optional(rules.account),
        "chgroup": rules.optional(rules.account),
        "options": rules.options,
        "staging_source": rules.optional(rules.uri),
        "staging_target": rules.optional(rules.uri),
        "copy_tool": rules.some_command,
    },
    VerifySettings: {
        "options": rules.options,
        "hash_dir": rules.optional(rules.uri),
        "live_tolerance": rules.between(0, 1),
    },
    BigtableSettings: {
        "project": bigtable.project,
        "instance": bigtable.instance,
        "app_profile": rules.optional(bigtable.app_profile),
        "key_file": rules.local_path,
        "emulator": rules.optional(rules.host_and_port),
        "endpoint": rules.optional(bigtable.java_class),
        "dry_run_seconds": rules.between(1, 10**7),
    },
    BackfillSettings: {
        "rows_per_range": rules.between(1, 1_000_000),
        "jar": bigtable.edge_path,
        "java": rules.some_command,
        "runner": bigtable.java_class,
        "export_dir": rules.optional(rules.uri),
        "temp_dir": rules.optional(rules.uri),
        "service_account": rules.optional(rules.account_or_address),
        "options": rules.options,
    },
    WayBackSettings: {"hbase_qualifier": bigtable.qualifier, "cbt_qualifier": bigtable.qualifier},
    CompareSettings: {
        "rows_per_range": rules.between(1, 1_000_000),
        "live_share": rules.between(0.001, 1),
        "recheck_seconds": _SECONDS,
        "versions": rules.between(0, 1_000_000),  # rows.scan takes no more
    },
    GateSettings: {
        "max_lag_ms": rules.between(1, 10**9),
        "still_seconds": _SECONDS,
        "canary_timeout_seconds": _SECONDS,
        "min_free_fraction": rules.between(0, 1),
        "min_runway_hours": rules.between(0, 10_000),
        "max_age_seconds": _SECONDS,
    },
}
_COMMANDS = {
    (SideSettings, "hbase"),
    (SideSettings, "agent"),
    (ExportSettings, "copy_tool"),
    (BackfillSettings, "java"),
}
_NOT_IN_YAML = {(Settings, "file")}


def keys_of(cls: type) -> tuple[str, ...]:
    """The YAML keys of one settings dataclass, in order."""
    return tuple(f.name for f in fields(cls) if (cls, f.name) not in _NOT_IN_YAML)


def adapter() -> TypeAdapter[Settings]:
    """What turns the plain values of a document into Settings, or says everything that is wrong with them."""
    return TypeAdapter(_shape(Settings))


def _shape(cls: type) -> Any:
    """A pydantic model of `cls` whose validated instance is `cls` itself."""
    hints = get_type_hints(cls)
    definitions: dict[str, Any] = {}
    for f in fields(cls):
        if (cls, f.name) not in _NOT_IN_YAML:
            shape = _annotation(hints[f.name], rules.command if (cls, f.name) in _COMMANDS else rules.listed)
            rule = _RULES[cls].get(f.name)
            definitions[f.name] = (Annotated[shape, AfterValidator(rule)] if rule else shape, _default(f))
    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    model = create_model(cls.__name__, __config__=config, **definitions)
    return Annotated[model, AfterValidator(lambda m: cls(**{name: getattr(m, name) for name in definitions}))]


def _annotation(hint: Any, sequence: Rule) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        shape = _shape(hint)
        return Annotated[shape, BeforeValidator(rules.table)] if hint is TableSettings else shape
    if origin in (Union, types.UnionType):
        return Union[tuple(_annotation(argument, sequence) for argument in arguments)]  # noqa: UP007
    if origin is tuple:
        return Annotated[_tuple_of(_annotation(arguments[0], sequence)), BeforeValidator(sequence)]
    if hint is str:
        return Annotated[str, AfterValidator(rules.plain_text)]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Annotated[hint, Field(strict=False)]
    if origin is not None and issubclass(origin, Mapping):
        return dict[str, Annotated[str, AfterValidator(rules.plain_text)]]
    return hint


def _tuple_of(item: Any) -> Any:
    return tuple[item, ...]


def _default(f: Any) -> Any:
    if f.default is not MISSING:
        return f.default
    return Field(default_factory=f.default_factory) if f.default_factory is not MISSING else ...
