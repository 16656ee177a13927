"""The half that runs no model: detections -> shards.

driver, options, graph     checks, what a call may ask for, the graph
select_rows, count         what a selection keeps of a chunk; what each range holds
ledger, statistics         what becomes of every pair; histograms and other thresholds
shard_stats                what a finished shard says of itself
plan_shards                kept pairs of every chunk -> which shard holds which pairs
shard_writer, tar_writer   one shard's tar, index and stats
manifest, report           what a reader may trust; what a run says at its end
"""
