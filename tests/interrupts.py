"""Interrupts: what a shell runs in the background is deaf to them, and so are its children, unless told to hear."""

import signal


def hear():
    """For `preexec_fn` of a process that a test interrupts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
