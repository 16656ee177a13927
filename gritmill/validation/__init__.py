"""`gritmill validate`: a finished run, read back and checked.

validate   manifest, shards, indexes, checksums
sample     members, record, picture and texts of one sample
"""
