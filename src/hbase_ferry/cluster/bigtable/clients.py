"""The generated clients of one instance: who logs in, over which channel.

Three ways, in this order: an emulator (plaintext, no credentials), a service account's key file, application default
credentials. Environment variables of an emulator are not read: the configuration alone says where to go. Nothing
connects here. Called by `connect`; google-cloud-bigtable is imported when it is first needed.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hbase_ferry.cluster.bigtable.library import ADMIN, AUTH, DATA, GRPC, SERVICE_ACCOUNT, library
from hbase_ferry.errors import Unreachable

if TYPE_CHECKING:
    from hbase_ferry.migration.bigtable.settings import BigtableSettings

_EMULATOR_OPTIONS = (
    # the client library lifts these limits on its own channels only; a cell has up to 100 MB
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    # a row is a message there, and a thread a stream costs three quarters of the speed (47,000 rows/s with this)
    ("SingleThreadedUnaryStream", 1),
)


@dataclass(frozen=True)
class Login:
    """Whom the service sees. `user`: the account; `source`: where its credentials come from, never what they are."""

    user: str
    source: str
    credentials: Any = None


@dataclass(frozen=True)
class Clients:
    """One instance's clients; safe to use from several threads."""

    path: str
    "projects/P/instances/I"
    app_profile: str
    "data is read and written through it, as the replication library does; empty: the default one"
    login: Login
    tables: Any
    "BigtableTableAdminClient"
    instances: Any
    "BigtableInstanceAdminClient"
    data: Any
    "google.cloud.bigtable_v2.BigtableClient"
    closing: Sequence[Callable[[], None]]

    @property
    def emulated(self) -> bool:
        return self.login.credentials is None

    @property
    def cluster_id(self) -> str:
        """What a migration pins: a rehearsal on an emulator is never taken for the instance of the same name."""
        return f"{self.path} in an emulator" if self.emulated else self.path

    def table(self, name: str) -> str:
        return f"{self.path}/tables/{name}"

    def close(self) -> None:
        """Closes the channels. Never raises."""
        for close in self.closing:
            with contextlib.suppress(Exception):
                close()


def open_clients(name: str, settings: BigtableSettings) -> Clients:
    """The clients for these settings. `name`: the side's, for messages. Raises Unreachable."""
    admin, data = library(ADMIN), library(DATA)
    kinds = (admin.BigtableTableAdminClient, admin.BigtableInstanceAdminClient, data.BigtableClient)
    login = _login(name, settings)
    if settings.emulator:
        channel = library(GRPC).insecure_channel(settings.emulator, options=list(_EMULATOR_OPTIONS))
        made = [kind(transport=kind.get_transport_class("grpc")(channel=channel)) for kind in kinds]
        closing = [channel.close]
    else:
        made = [kind(credentials=login.credentials) for kind in kinds]
        closing = [client.transport.close for client in made]
    path = f"projects/{settings.project}/instances/{settings.instance}"
    tables, instances, rows = made
    return Clients(path, settings.app_profile, login, tables, instances, rows, tuple(closing))


def _login(name: str, settings: BigtableSettings) -> Login:
    if settings.emulator:
        return Login("emulator", f"the emulator {settings.emulator}")
    if settings.key_file:
        return _from_key_file(name, settings.key_file)
    return _default(name)


def _from_key_file(name: str, file: str) -> Login:
    path = Path(file).expanduser()
    try:
        credentials = library(SERVICE_ACCOUNT).Credentials.from_service_account_file(str(path))
    except OSError as error:
        raise Unreachable(f"{name}: the key file {path} cannot be read: {error.strerror}") from None
    except Exception:  # what the parser says may quote the file
        raise Unreachable(f"{name}: {path} is not a service account's key file (JSON)") from None
    return Login(str(credentials.service_account_email), f"the key file {path}", credentials)


def _default(name: str) -> Login:
    auth = library(AUTH)
    source = "application default credentials"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a quota project: it would be printed over the screen
            credentials, _ = auth.default()
    except auth.exceptions.GoogleAuthError:
        raise Unreachable(
            f"{name}: there are no {source} on this machine: run `gcloud auth application-default login`, or name a "
            "service account's key file (bigtable.key_file)"
        ) from None
    mail = getattr(credentials, "service_account_email", "") or getattr(credentials, "account", "")
    return Login(str(mail or source), source, credentials)
