"""Faults of a single pair: finds the pair that makes a model fail, or that kills its process.

bisect           finds the items that make a batch fail
child_process    calls functions in a child process that may crash
child_pool       calls a function in several such processes at the same time
isolated_model   runs models in such a process, and finds the pair that kills it
"""
