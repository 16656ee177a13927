"""How a run is made of the steps in `transforms`.

configuration, fingerprint   what the user wants, and what must be equal for a run to go on
threshold, ids, faults       the detector's default threshold; names of ranges and chunks; the ways to end badly
files/                       files by URI: read, publish, lock
sources/                     one file a kind of source: its ranges, and their pairs
plan/                        sources -> ranges, in `detections/plan.json`
model_identity/              what tells one model from another, and the cache of what is known of them
tables/                      the durable table between the two halves
engines/                     how a pipeline is run: options, local workers, placement, progress
ground/                      the half that runs models: sources -> detections
pack/                        the half that runs none: detections -> shards

A room imports from those above it, never from those below; `tests/test_structure.py` holds that. Drivers come to know
that nothing is left to do without Beam, torch, spaCy and pyarrow, which take seconds to import: the graphs bring them.
"""
