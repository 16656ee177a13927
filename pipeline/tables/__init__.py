"""The durable tables of a run: one row a pair, one file a chunk.

range_summary   what a finished range holds, what a chunk took
table_file      what a table beside detections says of itself
table           a table: commit, finish, read, list
row_files       rows as the bytes of a parquet file
pair_rows       a pair as a row of detections
detections      the table that `pack` reads
"""
