"""The plan: the sources of a run, and the ranges of each source.

metadata       which files that other programs write beside data have no pairs
find_in_folder the sources in a folder that `--input` names
companions     files of other programs beside data that have no pairs
find_sources   the files that match `--input`
braces         brace patterns of `--input` -> paths and globs
named_columns  columns that the settings name, and that sources may lack
plan_sources   cuts files into ranges, and finds files that have changed
limit          `--limit N`: the ranges that N pairs need
spread         evenly spaced numbers, and intervals cut at boundaries
plan           the content of `detections/plan.json`
unused_settings settings that a run does not use
work_list      the ranges that a graph processes, fixed when it is submitted
"""
