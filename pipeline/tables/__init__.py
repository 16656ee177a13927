"""The durable table between the two halves.

detections   one parquet file a chunk: paths, commit, finished ranges
pair_rows    a pair as a row
"""
