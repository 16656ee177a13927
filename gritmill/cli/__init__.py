"""The command line.

commands           the application, and the commands that make and read a run
evaluation, view   `eval` and `calibrate`; `view`
arguments          arguments that several commands share
"""
