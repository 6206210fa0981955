"""What an instance says of itself: the wire's `cluster.identity` of a Bigtable side.

Its `settings` are these short keys, and no others:

    instance.state                READY | CREATING | STATE_NOT_KNOWN
    instance.type                 PRODUCTION | DEVELOPMENT | TYPE_UNSPECIFIED
    clusters                      ids, comma separated, sorted
    cluster.<id>.state            READY | CREATING | RESIZING | DISABLED | STATE_NOT_KNOWN
    cluster.<id>.nodes            nodes at this moment
    cluster.<id>.autoscaling      <least>-<most> nodes | off
    profiles                      ids, comma separated, sorted
    profile.<id>.routing          single:<cluster> | multi
    profile.<id>.transactional    true | false: single-row transactions are allowed
    permission.<name>             granted | missing, for each of PERMISSIONS
    unknown.<what>                why it is not known; <what>: instance, clusters, profiles, permissions

Invariant: it was answered only if the service listed tables within the deadline and did not deny that the instance
exists; whatever the account may not see, or the emulator cannot say, is `unknown.*` and never left out in silence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hbase_ferry.cluster.bigtable.calls import KIND, Ask
from hbase_ferry.cluster.bigtable.clients import Clients
from hbase_ferry.errors import AgentError
from hbase_ferry.model.event import Json

PRODUCT = "Cloud Bigtable"
PERMISSIONS = (
    "bigtable.tables.list",
    "bigtable.tables.get",
    "bigtable.tables.create",
    "bigtable.tables.update",
    "bigtable.tables.delete",
    "bigtable.tables.readRows",
    "bigtable.tables.mutateRows",
)
"""What hbase-ferry's own account needs; the replication library's account needs the last two on the servers."""
_NAME_ONLY = 1


def identity(clients: Clients, ask: Ask) -> dict[str, Json]:
    """See the module. Raises where the instance does not exist or nobody answers."""
    reach(clients, ask)
    return identity_of(clients.cluster_id, clients.login.user, _settings(clients, ask), round(time.time() * 1000))


def reach(clients: Clients, ask: Ask) -> None:
    """One real request: channels connect lazily, and an open channel proves nothing."""
    request = {"parent": clients.path, "view": _NAME_ONLY, "page_size": 1}
    ask.read(f"instance {clients.path}", clients.tables.list_tables, request=request)


def identity_of(cluster_id: str, user: str, settings: Mapping[str, str], time_ms: int) -> dict[str, Json]:
    """An instance's identity; what only an HBase cluster has is empty."""
    return {
        "cluster_id": cluster_id, "product": PRODUCT, "hbase_version": "", "hadoop_version": "", "rootdir": "",
        "wal_dir": "", "cluster_key": "", "master": "", "servers": [], "dead_servers": [],
        "regions_in_transition": 0, "balancer_on": None, "replication_enabled": True, "split_enabled": None,
        "merge_enabled": None, "user": user, "time_ms": time_ms, "settings": dict(settings),
    }  # fmt: skip


def _settings(clients: Clients, ask: Ask) -> dict[str, str]:
    found: dict[str, str] = {}
    parts: Mapping[str, Callable[[Clients, Ask], dict[str, str]]] = {
        "instance": _instance, "clusters": _clusters, "profiles": _profiles, "permissions": _permissions,
    }  # fmt: skip
    for what, read in parts.items():
        try:
            found.update(read(clients, ask))
        except AgentError as error:
            if what == "instance" and error.kind == KIND + "NotFound":
                raise
            found[f"unknown.{what}"] = _reason(error, clients.path)
    return found


def _reason(error: AgentError, path: str) -> str:
    """Why it is not known. What the emulator does not answer is said without the instance's name before it."""
    told = error.text.partition(f"{path}: ")[2] if error.kind == KIND + "MethodNotImplemented" else ""
    return told or error.text


def _instance(clients: Clients, ask: Ask) -> dict[str, str]:
    found = ask.read(f"instance {clients.path}", clients.instances.get_instance, name=clients.path)
    return {"instance.state": found.state.name, "instance.type": found.type_.name}


def _clusters(clients: Clients, ask: Ask) -> dict[str, str]:
    what = f"the clusters of {clients.path}"
    answer = ask.read(what, clients.instances.list_clusters, parent=clients.path)
    _all_locations(ask, what, answer.failed_locations)
    found = {"clusters": _ids(answer.clusters)}
    for cluster in answer.clusters:
        name = _id(cluster)
        limits = cluster.cluster_config.cluster_autoscaling_config.autoscaling_limits
        scaled = f"{limits.min_serve_nodes}-{limits.max_serve_nodes}" if limits.max_serve_nodes else "off"
        found |= {
            f"cluster.{name}.state": cluster.state.name,
            f"cluster.{name}.nodes": str(cluster.serve_nodes),
            f"cluster.{name}.autoscaling": scaled,
        }
    return found


def _profiles(clients: Clients, ask: Ask) -> dict[str, str]:
    what, token = f"the app profiles of {clients.path}", ""
    profiles: list[Any] = []
    while True:
        request = {"parent": clients.path, "page_token": token}
        pager = ask.read(what, clients.instances.list_app_profiles, request=request)
        page = next(iter(pager.pages))
        _all_locations(ask, what, page.failed_locations)
        profiles += page.app_profiles
        token = page.next_page_token
        if not token:
            break
    found = {"profiles": _ids(profiles)}
    for profile in profiles:
        single = profile.single_cluster_routing
        found |= {
            f"profile.{_id(profile)}.routing": f"single:{single.cluster_id}" if single.cluster_id else "multi",
            f"profile.{_id(profile)}.transactional": str(bool(single.allow_transactional_writes)).lower(),
        }
    return found


def _permissions(clients: Clients, ask: Ask) -> dict[str, str]:
    request = {"resource": clients.path, "permissions": list(PERMISSIONS)}
    what = f"the permissions on {clients.path}"
    answer = ask.read(what, clients.instances.test_iam_permissions, request=request)
    return {f"permission.{name}": "granted" if name in answer.permissions else "missing" for name in PERMISSIONS}


def _all_locations(ask: Ask, what: str, failed: Iterable[str]) -> None:
    """A list with holes is not the list."""
    if missing := ", ".join(failed):
        raise ask.refusal(what, "Unknown", f"these locations did not answer: {missing}")


def _id(message: Any) -> str:
    return str(message.name).rsplit("/", 1)[-1]


def _ids(messages: Iterable[Any]) -> str:
    return ",".join(sorted(_id(message) for message in messages))
