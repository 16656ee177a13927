"""Faults of a single pair: finds the pair that makes a model fail, or that kills its process.

bisect           finds the items that make a batch fail
child_process    calls functions in a child process that may crash
isolated_model   runs a model in such a process
"""
