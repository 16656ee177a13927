"""Which sources there are, cut into which ranges.

find_sources   the files that `--input` names
plan_sources   files -> sources cut into ranges, and which have changed
limit          `--limit N`: the ranges that N pairs need
spread         numbers spread evenly; stretches cut at borders
plan           the plan itself, as `detections/plan.json` holds it
"""
