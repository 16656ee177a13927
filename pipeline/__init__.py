"""Builds a run from the steps in `transforms`.

faults, ids       exceptions that end a run; ids of ranges and chunks
layout            every path of a run folder
screen            the console that shows data
source_kinds      source kinds by name, built in or from packages
plain_yaml        YAML that people write -> its value
configuration     the user's settings
files/            files by URI: read, publish, lock
threshold         the detector's default score threshold
engines/          running a pipeline: options, local workers, placement, progress
fingerprint       what must be equal for a run to resume
sources/          one module per source kind: its ranges and their pairs
tables/           durable tables: one row per pair, one file per chunk
model_identity/   identities of models, and a cache of them
plan/             sources -> ranges, in `detections/plan.json`
stages/           steps that run a model, and the code that they share
ground/           the half that runs models: sources -> detections and tables computed from them
pack/             the half that runs no models: detections -> shards

A module imports only modules that are listed above it; `tests/test_structure.py` checks this. Beam, torch, spaCy and
pyarrow take seconds to import. Drivers import the graphs, and with them these packages, only if there is work left.
"""
