"""What the values of a Bigtable target must be; see `config_rules`. Cloud Bigtable's own limits on ids."""

from __future__ import annotations

import re

from hbase_ferry.migration.names import quoted

_PROJECT = re.compile(r"(?:[a-z0-9.\-]+:)?[a-z][a-z0-9\-]{2,28}[a-z0-9]")
_INSTANCE = re.compile(r"[a-z][a-z0-9\-]{4,31}[a-z0-9]")
_PROFILE = re.compile(r"[_a-zA-Z0-9][-_.a-zA-Z0-9]{0,49}")
_CLASS = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*(?:\.[A-Za-z_$][A-Za-z0-9_$]*)*")


def project(value: str) -> str:
    """A project id (cloud.google.com/resource-manager, project identifiers)."""
    if not _PROJECT.fullmatch(value):
        raise ValueError(f"{quoted(value)} is not a project id: 5 to 30 lower-case letters, digits and dashes")
    return value


def instance(value: str) -> str:
    """An instance id (google.bigtable.admin.v2 CreateInstanceRequest: 6 to 33 characters)."""
    if not _INSTANCE.fullmatch(value):
        raise ValueError(f"{quoted(value)} is not an instance id: 6 to 33 lower-case letters, digits and dashes")
    return value


def app_profile(value: str) -> str:
    """An app profile id (google.bigtable.admin.v2 CreateAppProfileRequest)."""
    if not _PROFILE.fullmatch(value):
        raise ValueError(f"{quoted(value)} is not an app profile id: letters, digits, _ . and -, at most 50")
    return value


def java_class(value: str) -> str:
    """The full name of a Java class."""
    if not _CLASS.fullmatch(value):
        raise ValueError(f"{quoted(value)} is not the name of a Java class")
    return value


def qualifier(value: str) -> str:
    """A marker of a bidirectional stream."""
    if not _PROFILE.fullmatch(value):
        raise ValueError(f"{quoted(value)} is not a qualifier: letters, digits, _ . and -, at most 50")
    return value
