"""Pickles of plain containers are read. Pickles that would run code are refused."""

import collections
import datetime
import os
import pickle
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gritmill.plain_pickle import load

ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
PLAIN = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@given(PLAIN, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_containers_come_back(value, protocol):
    assert load(pickle.dumps(value, protocol)) == value


def test_sets_and_bytes_are_plain_where_pickle_has_words_for_them():
    value = {"a": {1, 2}, "b": frozenset([3]), "c": b"\0\xff"}
    assert load(pickle.dumps(value, 4)) == value


def test_a_pickle_of_python_2_as_refcocos_are():
    """`pickle.dumps([{'ref_id': 7, 'file_name': 'a.jpg', 'sentences': [u'caf\\xe9']}])` of Python 2.7."""
    data = (
        b"(lp0\n(dp1\nS'ref_id'\np2\nI7\nsS'file_name'\np3\nS'a.jpg'\np4\nsS'sentences'\np5\n(lp6\nVcaf\xe9\np7\nasa."
    )
    assert load(data) == [{"ref_id": 7, "file_name": "a.jpg", "sentences": ["café"]}]


class Calls:
    """Creates a folder if it is unpickled with `pickle`."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_malicious_pickle_is_refused_and_runs_nothing(tmp_path, protocol):
    data = pickle.dumps([{"ref_id": 1}, Calls(str(tmp_path / "made"))], protocol)
    with pytest.raises(ValueError, match=r"not a plain pickle: .*GLOBAL"):
        load(data)
    assert not (tmp_path / "made").exists()
    pickle.loads(data)
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"(S'true'\nios\nsystem\n.",
        b"(cos\nsystem\nS'true'\no.",
        b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85\x81.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
        b"\x82\x01.",
        b"P1\n.",
        b"\x80\x02K\x01Q.",
        b"]]b.",
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".",
        b"\x80\x05\x97.",
        b"]r\xff\xff\xff\x7f.",
        b"]p2000000000\n.",
    ],
)
def test_no_other_instruction_passes(data):
    with pytest.raises(ValueError, match=r"not a plain pickle: .* (at byte|but only)"):
        load(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02}N" + b"\x85" * 1_000_000 + b"Ns.",
        b"\x80\x02}N" + b"q\x00h\x00h\x00\x87" * 200_000 + b"Ns.",
        b"\x80\x04}" + b"(" * 200_000 + b"N" + b"\x91" * 200_000 + b"Ns.",
        b"}" + b"(" * 200_000 + b"N" + b"t" * 200_000 + b"Ns.",
    ],
)
def test_nests_that_would_crash_the_process_are_refused(data):
    with pytest.raises(ValueError, match=r"not a plain pickle: .* nests tuples more than 100 deep"):
        load(data)


@pytest.mark.parametrize(
    "value",
    [np.zeros(3), np.float64(1), datetime.date(2020, 1, 1), collections.OrderedDict(), complex(1, 2), os.system, int],
)
def test_other_objects_are_refused(value):
    with pytest.raises(ValueError, match="not a plain pickle"):
        load(pickle.dumps(value))


@pytest.mark.parametrize(
    "data", [b"", b".", b"no pickle", b"]", b"(.", b"\x80\x09.", b"a.", b"I1" + b"0" * 9999 + b"\n."]
)
def test_what_is_no_pickle(data):
    with pytest.raises(ValueError, match="not a plain pickle"):
        load(data)


@given(st.binary(max_size=40))
def test_any_bytes_give_a_value_or_a_value_error(data):
    with suppress(ValueError):
        load(data)
