"""How a run is made of the steps in `transforms`.

ground (models, GPU):
  configuration, fingerprint   what the user wants, and what must be equal for a run to go on
  plan, limit                  sources -> ranges, in `detections/plan.json`
  sources/                     one file a kind of source: its ranges, and their pairs
  read_chunks                  a range -> chunks
  detections, pair_rows        the durable table between the two halves; a pair as its row
  identities, memory           what tells one model from another, and what is remembered of them
  agree, retry, deaths         whether a run goes on with what lies there; what is done again; who is to blame
  ground                       the driver
  ground_graph, placement      the graph; device and threads of the detector

pack (no model):
  selected, count, ledger      what a selection keeps of a chunk; what becomes of every pair
  plan_shards                  kept pairs of every chunk -> which shard holds which pairs
  fetch_images                 image bytes from where they lie
  write_shards, tar_stream     tar, index and stats of one shard
  manifest                     what a reader may trust, with the ledger
  pack                         the driver
  pack_graph                   the graph

files, remote, publish, lock, running, progress and faults serve both. Drivers come to know that nothing is left to do
without Beam, torch, spaCy and pyarrow, which take seconds to import: the graphs bring them.
"""
