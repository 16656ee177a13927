"""The command line.

commands       the application and its commands
export_command the command `export`
derive         a command from a Python function, which declares its options
completion     the values that the shell completes
json_output    the result as one JSON object, for scripts
show_sources   the result of `gritmill look`
show_audit     the result of `gritmill audit`
outcome        what makes the exit status 1
"""
