"""How a run is made of the steps in `transforms`.

faults, ids       the ways to end badly; names of ranges and chunks
layout            every path of a run folder
source_kinds      kinds of sources by name, built in or from packages
configuration     what the user wants
files/            files by URI: read, publish, lock
threshold         the detector's default score threshold
engines/          how a pipeline is run: options, local workers, placement, progress
fingerprint       what must be equal for a run to go on
sources/          one file a kind of source: its ranges, and their pairs
tables/           the durable tables: one row a pair, one file a chunk
model_identity/   what tells one model from another, and the cache of what is known of them
plan/             sources -> ranges, in `detections/plan.json`
stages/           the steps that run a model, and what is written once around them
ground/           the half that runs models: sources -> detections and what is made from them
pack/             the half that runs none: detections -> shards

A room imports from those listed above it; `tests/test_structure.py` holds that. Drivers come to know that nothing is
left to do without Beam, torch, spaCy and pyarrow, which take seconds to import: the graphs bring them.
"""
