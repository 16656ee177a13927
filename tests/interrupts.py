"""Interrupts: background jobs of a shell ignore SIGINT, and their children inherit that."""

import signal


def hear():
    """Restores the SIGINT handler. Use it as `preexec_fn` of a process that a test interrupts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
