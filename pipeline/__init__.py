"""How a run is made of the steps in `transforms`.

ground (models, GPU):
  configuration, fingerprint   what the user wants, and what must be equal for a run to go on
  plan, limit                  sources -> ranges, in `detections/plan.json`
  sources/                     one file a kind of source: its ranges, and their pairs
  read_chunks                  a range -> chunks
  detections, rows             the durable table between the two halves, and its columns
  ground                       the graph and its driver

pack (no model):
  count, plan_shards           kept pairs of every chunk -> which shard holds which pairs
  fetch_images                 image bytes from where they lie
  write_shards, tar_stream     tar, index and stats of one shard
  manifest                     what a reader may trust, with the ledger
  pack                         the graph and its driver

files, publish, lock, running, progress and faults serve both.
"""
