"""Runs calls that obey file permissions, also if the suite runs as root, which may override them."""

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

_VERSION = 0x20080522  # of the structures below, see capset(2)
_OVERRIDING = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("thread", ctypes.c_int))


class _Rights(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def obeying(call):
    """Returns the result of `call()` in a thread that cannot override permissions. Its children cannot either."""
    if os.geteuid() != 0:
        return call()
    library, header, rights = ctypes.CDLL(None), _Header(_VERSION, 0), (_Rights * 2)()
    if not hasattr(library, "capset") or library.capget(ctypes.byref(header), rights):
        pytest.skip("root may override permissions, and this system cannot change that")

    def obedient():
        rights[0].effective &= ~_OVERRIDING
        rights[0].permitted &= ~_OVERRIDING  # access(2) checks the permitted ones
        assert library.capset(ctypes.byref(header), rights) == 0
        return call()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(obedient).result()
