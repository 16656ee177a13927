"""Programs that write data sets as users of a library do. Each one runs in an environment without gritmill.

A module is called `with_` and the library. Its `FORMATS` are functions (`interop.written.Write`) by the name of what
they call.
"""
