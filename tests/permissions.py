"""Permissions that are obeyed, although the suite may be run by root, to whom nothing is forbidden."""

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
    """What `call()` gives in a thread that has given up the right to override permissions, as have those it starts."""
    if os.geteuid() != 0:
        return call()
    library, header, rights = ctypes.CDLL(None), _Header(_VERSION, 0), (_Rights * 2)()
    if not hasattr(library, "capset") or library.capget(ctypes.byref(header), rights):
        pytest.skip("root is forbidden nothing, and nothing here changes that")

    def obedient():
        rights[0].effective &= ~_OVERRIDING
        rights[0].permitted &= ~_OVERRIDING  # the ones that access(2) asks for
        assert library.capset(ctypes.byref(header), rights) == 0
        return call()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(obedient).result()
