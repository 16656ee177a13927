"""The durable table between the two halves.

range_summary   what a finished range holds, what a chunk took
detections      what is there: paths, committed chunks, finished ranges
chunk_files     one parquet file a chunk: commit, read
pair_rows       a pair as a row
"""
