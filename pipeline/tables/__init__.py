"""The durable tables of a run: one row per pair, one file per chunk.

range_summary   the content of a finished range, the timing of a chunk
table_file      `table.json`, which describes the table of a custom stage
table           a table: commit, finish, read, list
sweep           removes what killed runs left unfinished
row_files       rows as the bytes of a parquet file
pair_rows       a pair as a row of detections
detections      the table that `pack` reads
decoys          the table of decoys, which `pack` reads if it is there
"""
