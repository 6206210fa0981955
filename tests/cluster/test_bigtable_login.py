"""How the client logs in, and that nothing of a credential is ever told."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hbase_ferry.cluster.bigtable.clients import open_clients
from hbase_ferry.cluster.bigtable.connect import connect_instance
from hbase_ferry.errors import FerryError, Unreachable
from hbase_ferry.migration.bigtable.settings import BigtableSettings

MAIL = "ferry@some-project.iam.gserviceaccount.com"


def settings(**more: str) -> BigtableSettings:
    return BigtableSettings("some-project", "some-instance", **more)


@pytest.fixture(scope="module")
def secret() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*form).decode()


@pytest.fixture
def key_file(tmp_path: Path, secret: str) -> Path:
    file = tmp_path / "key.json"
    account = {"type": "service_account", "client_email": MAIL, "private_key": secret, "private_key_id": "abc",
               "token_uri": "https://127.0.0.1:1/token", "project_id": "some-project"}  # fmt: skip
    file.write_text(json.dumps(account))
    return file


@pytest.fixture
def no_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without application default credentials."""
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    yield


def test_without_the_extra_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.cloud.bigtable_admin_v2", None)
    with pytest.raises(FerryError, match=r"Cloud Bigtable needs the extra: pip install 'hbase-ferry\[bigtable\]'"):
        connect_instance("prod", settings(emulator="127.0.0.1:1"))


def test_a_key_file_gives_the_account_and_tells_only_its_path(key_file: Path) -> None:
    clients = open_clients("prod", settings(key_file=str(key_file)))
    assert (clients.login.user, clients.login.source) == (MAIL, f"the key file {key_file}")
    assert not clients.emulated and clients.path == "projects/some-project/instances/some-instance"
    clients.close()


def test_the_shown_form_of_a_login_holds_no_secret(key_file: Path, secret: str) -> None:
    clients = open_clients("prod", settings(key_file=str(key_file)))
    shown = repr(clients) + repr(clients.login) + str(vars(clients.login))
    assert secret.splitlines()[1] not in shown
    clients.close()


def test_the_home_folder_in_the_path_of_a_key_file_is_found(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(key_file.parent))
    clients = open_clients("prod", settings(key_file="~/key.json"))
    assert clients.login.user == MAIL
    clients.close()


def test_a_key_file_that_is_not_there_is_named() -> None:
    with pytest.raises(Unreachable, match=r"prod: the key file /no/such/key\.json cannot be read: No such file"):
        connect_instance("prod", settings(key_file="/no/such/key.json"))


@pytest.mark.parametrize("change", ["not json", "no key", "a broken key", "another type"])
def test_a_key_file_that_is_none_is_named_and_not_quoted(key_file: Path, secret: str, change: str) -> None:
    account = json.loads(key_file.read_text())
    account |= {"a broken key": {"private_key": secret[:200]}, "another type": {"client_email": None}}.get(change, {})
    if change == "no key":
        del account["private_key"]
    key_file.write_text("hunter2" if change == "not json" else json.dumps(account))
    if change == "another type":
        key_file.write_text(json.dumps({"type": "authorized_user", "refresh_token": "hunter2"}))
    with pytest.raises(Unreachable) as caught:
        connect_instance("prod", settings(key_file=str(key_file)))
    assert str(caught.value) == f"prod: {key_file} is not a service account's key file (JSON)"
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_without_any_credentials_the_message_says_what_to_do(no_defaults: None) -> None:
    with pytest.raises(Unreachable, match="gcloud auth application-default login") as caught:
        connect_instance("prod", settings())
    assert "bigtable.key_file" in str(caught.value)


def test_default_credentials_of_a_service_account_are_named_by_their_mail(
    no_defaults: None, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key_file))
    clients = open_clients("prod", settings())
    assert (clients.login.user, clients.login.source) == (MAIL, "application default credentials")
    clients.close()


def test_an_emulator_needs_no_credentials_and_the_environment_does_not_choose_it(
    no_defaults: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = open_clients("prod", settings(emulator="127.0.0.1:1"))
    assert (clients.login.user, clients.emulated) == ("emulator", True)
    clients.close()
    monkeypatch.setenv("BIGTABLE_EMULATOR_HOST", "127.0.0.1:1")
    with pytest.raises(Unreachable, match="no application default credentials"):
        connect_instance("prod", settings())


def test_without_network_to_the_token_service_logging_in_fails_with_the_files_path(key_file: Path, secret: str) -> None:
    """Neither the service nor the token service is reached from here; the call ends within its deadline."""
    wire = connect_instance("prod", settings(key_file=str(key_file)))
    with pytest.raises(Unreachable) as caught:
        wire.call("ping", {}, 2.0)
    assert secret.splitlines()[1] not in str(caught.value)
    wire.close()
