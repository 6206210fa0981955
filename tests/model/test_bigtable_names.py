from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hbase_ferry.model.bigtable.names import family_fault, table_fault


@pytest.mark.parametrize("name", ["orders", "_t", "9", "a.b-c_d", "x" * 50])
def test_a_name_of_letters_digits_and_the_three_signs_has_no_fault(name: str) -> None:
    assert table_fault(name) is None


@pytest.mark.parametrize(("name", "why"), [
    ("shop:orders", "lies in a namespace"), ("x" * 51, "51 characters"), (".hidden", "no . or - in front"),
    ("-t", "no . or - in front"), ("", "(empty)"), ("täble", "no table id"), ("a b", "no table id"),
    ("a\n", "no table"),
])  # fmt: skip
def test_a_table_name_the_service_refuses_is_a_sentence_with_its_reason(name: str, why: str) -> None:
    assert why in (table_fault(name) or "")


def test_a_namespaced_table_is_told_the_name_it_can_have() -> None:
    assert (table_fault("shop:orders") or "").endswith("clone it as orders and move that table")


def test_families_may_begin_with_a_sign_and_have_64_characters() -> None:
    assert family_fault("-.f") is None
    assert family_fault("f" * 64) is None
    assert "65 characters" in (family_fault("f" * 65) or "")
    assert "no family id" in (family_fault("a:b") or "")
    assert "(empty)" in (family_fault("") or "")


@given(st.text(max_size=60))
def test_no_name_passes_that_the_service_s_own_pattern_refuses(name: str) -> None:
    good = re.fullmatch(r"[_a-zA-Z0-9][-_.a-zA-Z0-9]{0,49}", name, re.ASCII) is not None
    assert (table_fault(name) is None) == good
