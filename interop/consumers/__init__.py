"""Programs that read gritmill's exports as users of a library do. Each one runs in an environment without gritmill.

A module is called `with_` and the library. Its `READINGS` are functions with an
`interop.seen.Reading` each, by the name of what they call.
"""
