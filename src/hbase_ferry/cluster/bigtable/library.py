"""google-cloud-bigtable, imported when it is first needed: everything else works without the extra `bigtable`.

Its modules are looked up by name, so that nothing of it is needed to read or check this code. Invariant: none of it
writes to the terminal, which may be a screen; what matters comes as an error. Only `cluster.bigtable` calls this.
"""

from __future__ import annotations

import importlib
import logging
import os
from typing import Any

from hbase_ferry.errors import Unreachable

WITHOUT_EXTRA = "Cloud Bigtable needs the extra: pip install 'hbase-ferry[bigtable]'"

ADMIN = "google.cloud.bigtable_admin_v2"
DATA = "google.cloud.bigtable_v2"
EXCEPTIONS = "google.api_core.exceptions"
AUTH = "google.auth"
SERVICE_ACCOUNT = "google.oauth2.service_account"
GRPC = "grpc"

for _name in ("google", "grpc"):
    logging.getLogger(_name).addHandler(logging.NullHandler())


def library(name: str) -> Any:
    """The module of that name. Raises Unreachable where the extra is not installed."""
    # gRPC's core prints of its own accord, and Python prints the errors of loggers nobody listens to
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Unreachable(WITHOUT_EXTRA) from error
