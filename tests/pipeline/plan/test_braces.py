import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.faults import CallError
from pipeline.plan.braces import _count, expand


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("a.tar", ["a.tar"]),
        ("{08..10}.tar", ["08.tar", "09.tar", "10.tar"]),
        ("{a,b}/*.tar", ["a/*.tar", "b/*.tar"]),
        ("x{a,{0..4..2}}{,.gz}", ["xa", "xa.gz", "x0", "x0.gz", "x2", "x2.gz", "x4", "x4.gz"]),
        ("shelf://data/{b,a}.tar", ["shelf://data/b.tar", "shelf://data/a.tar"]),
        ("{1}.tar", ["{1}.tar"]),
        ("{a,b.tar", ["{a,b.tar"]),
        ("a},{b", ["a},{b"]),
        (r"a\{1,2}", ["a\\1", "a\\2"]),
        ("", [""]),
        ("{" * 1500 + "}" * 1500, ["{" * 1500 + "}" * 1500]),
    ],
)
def test_patterns_are_expanded_as_bash_does(pattern: str, paths: list[str]) -> None:
    assert expand(pattern) == paths


@pytest.mark.parametrize(
    "pattern",
    [
        "{0..9999999999}.tar",
        "{-99999999999999999999..1}",
        "{1.." + "9" * 5000 + "}",
        "{0..999}{0..999}{0..999}",
        "{{0..999}{0..999}{0..999},x}",
        "{a,b}" * 40,
        "{A..z}" * 5,
        "{" * 5 + "0..1000001" + "}" * 5,
    ],
)
def test_too_many_paths_are_refused_before_they_are_made(pattern: str) -> None:
    started = time.monotonic()
    with pytest.raises(CallError, match=r"expands to more than 1,000,000 paths; use a smaller range or a glob"):
        expand(pattern)
    assert time.monotonic() - started < 5  # to make them would take minutes and all memory


@given(
    st.lists(st.sampled_from(["a", ",", ",", "{", "{", "}", "}", ".", "{0..3}", "{7..1..2}", "{a..c}"]), max_size=12)
)
def test_the_count_of_paths_is_right_or_too_large(parts: list[str]) -> None:
    pattern = "".join(parts)
    assert len(expand(pattern)) <= max(_count(pattern), 1)
