"""The version of the code that reads claims from captions."""

READING_VERSION = 5
"""Increase it with every change of the code after which some caption has other claims, or other phrases because of what
it says is not there. It is part of the fingerprint of a run that reads claims, so that a run is not continued with
other rules; a run of release 0.1 reads none, and is continued. The content of the lists of words is part of it, too.
`tests/transforms/claims/test_reading_version.py` notices a change without another version."""
