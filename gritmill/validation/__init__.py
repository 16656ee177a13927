"""`gritmill validate`: reads a finished run back and checks it.

validate   checks the manifest, the other files of the folder, and each shard
shard      checks checksums, index, stats and samples of one shard
processes  checks shards in several processes
manifest   the models of manifest and stats
tar        reads the samples of a tar
sample     checks members, record and texts of one sample
image      checks the image of one sample
record     the model of a record
claims     checks claims against the boxes of their record; recounts what stats and manifest say of records
detections   checks boxes, claims and decoys against the detections of the run
open_rows    finds these detections
"""
