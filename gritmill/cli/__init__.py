"""The command line.

commands   the application and its commands
derive     a command from a Python function: its options are written there alone
outcome    what makes the exit status 1
"""
