"""`gritmill validate`: reads a finished run back and checks it.

validate   checks manifest, shards, indexes and checksums
sample     checks members, record, image and texts of one sample
"""
