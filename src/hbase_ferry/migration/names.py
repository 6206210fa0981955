"""The names an operator gives, checked before anything connects: tables, families, peers, labels.

Invariant: what passes here is accepted by HBase as it is, and can be typed and shown without tricks. `config`
calls these for every name in a file; each returns the name in its one spelling or raises ValueError with a
sentence.
"""

from __future__ import annotations

import re
import unicodedata

from hbase_ferry.model.text import safe_text

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.\-]*")
_PEER = re.compile(r"[A-Za-z0-9_.]+")
_RESERVED = ("zookeeper",)
_MAX_COMPONENT = 255
"HDFS' own limit for one path component (dfs.namenode.fs-limits.max-component-length)"


def quoted(text: str) -> str:
    """`text` as it may stand in a message: in quotes, invisible characters visible, at most 80 characters."""
    return f'"{safe_text(text, 80)}"'


def table_name(name: str) -> str:
    """`ns:qualifier` or `qualifier`, without `default:` (TableName.isLegalFullyQualifiedTableName)."""
    namespace, colon, qualifier = name.rpartition(":")
    if colon:
        _check_namespace(namespace, name)
    _check_qualifier(qualifier, name)
    if len(name.encode("utf-8", "surrogatepass")) > _MAX_COMPONENT:
        raise ValueError(f"{quoted(name)} is longer than {_MAX_COMPONENT} bytes")
    return qualifier if namespace in ("", "default") else f"{namespace}:{qualifier}"


def family_name(name: str) -> str:
    """A column family (ColumnFamilyDescriptorBuilder.isLegalColumnFamilyName), printable characters only."""
    if not name:
        raise ValueError("a family name must not be empty")
    if name.startswith("."):
        raise ValueError(f"family {quoted(name)} starts with '.', which HBase refuses")
    if name == "recovered.edits":
        raise ValueError("recovered.edits is a folder of HBase's own, not a family")
    for char in name:
        if char in ":/\\" or char.isspace() or not _visible(char):
            raise ValueError(f"family {quoted(name)} holds {_describe(char)}, which HBase or a screen cannot take")
    return name


def peer_id(name: str) -> str:
    """A replication peer's id. HBase only refuses '-' (ReplicationPeerManager.preAddPeer: recovered queues
    are named <peer>-<server>); ours is typed and shown, so it is plain ASCII."""
    if "-" in name:
        raise ValueError(f"{quoted(name)} holds '-', which HBase refuses in a peer id; use '_'")
    if not _PEER.fullmatch(name) or len(name) > 100 or set(name) == {"."}:
        raise ValueError(f"{quoted(name)} is not a peer id: 1 to 100 of the characters A-Z a-z 0-9 _ .")
    return name


def label(name: str) -> str:
    """The name of a migration or of a cluster: it is typed at the cutover and stands in every line."""
    if not _LABEL.fullmatch(name) or len(name) > 60 or name.endswith(" "):
        raise ValueError(
            f"{quoted(name)} is not a name: 1 to 60 of the characters A-Z a-z 0-9 space _ - ., a letter or digit first"
        )
    return name


def _check_namespace(namespace: str, name: str) -> None:
    if not namespace:
        raise ValueError(f"{quoted(name)} has nothing in front of ':'; write ns:table or table")
    if namespace == "hbase":
        raise ValueError(f"{quoted(name)} is a table of HBase's own and never migrates")
    if namespace in _RESERVED:
        raise ValueError(f"{quoted(name)}: HBase refuses the name {namespace}")
    for char in namespace:
        if not (char == "_" or _letter_or_digit(char)):
            raise ValueError(f"{quoted(name)}: a namespace is letters, digits and '_', not {_describe(char)}")


def _check_qualifier(qualifier: str, name: str) -> None:
    if not qualifier:
        raise ValueError(f"{quoted(name)} names no table")
    if qualifier[0] in ".-":
        raise ValueError(f"{quoted(name)}: HBase refuses a table name that starts with '{qualifier[0]}'")
    if qualifier in _RESERVED:
        raise ValueError(f"{quoted(name)}: HBase refuses the name {qualifier}")
    for char in qualifier:
        if not (char in "_-." or _letter_or_digit(char)):
            raise ValueError(f"{quoted(name)}: a table name is letters, digits and _ - . and not {_describe(char)}")


def _letter_or_digit(char: str) -> bool:
    """Java's Character.isAlphabetic or isDigit on one UTF-16 unit, so nothing beyond U+FFFF.

    Java also counts most combining marks (Other_Alphabetic), a property that Python's tables do not hold:
    marks pass here and HBase has the last word.
    """
    category = unicodedata.category(char)
    return ord(char) <= 0xFFFF and _visible(char) and (category[0] in "LM" or category in ("Nd", "Nl"))


def _visible(char: str) -> bool:
    return safe_text(char) == char


def _describe(char: str) -> str:
    code = f"U+{ord(char):04X}"
    return f"'{char}' ({code})" if _visible(char) and not char.isspace() else f"the character {code}"
