"""`pack`, the command that runs no model: detections -> shards.

driver, options, graph     checks the call; options of a call; the Beam graph
fingerprint                the rows that a pack is made from, and its fingerprint
select_rows, count         selects the boxes of a chunk; counts the kept pairs of each range
duplicates                 pairs that repeat an earlier pair
ledger, statistics         the outcome of every pair; histograms and the effect of other thresholds
claim_counts               the claims of written pairs, by verdict
given_boxes                how many boxes of written pairs come from the source
judge_decoys               what the detector found of the decoys of a chunk
truth_sheet                sums over written pairs that say how far the data can be trusted
shard_stats                the stats file of a finished shard
progress                   the finished shards of a run
plan_shards                numbers of kept pairs per chunk -> the pairs of each shard
shard_writer, tar_writer   writes the tar, index and stats of a shard
manifest, report           the manifest, which lists complete shards; `report.json`, with the speed of `ground`
summary                    the report on the screen at the end of a run
"""
