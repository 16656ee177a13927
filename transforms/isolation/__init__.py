"""Faults that hit one picture alone.

bisect           the items of a failing batch that make it fail
child_process    calls in a process that may die
isolated_model   a model in such a process
"""
