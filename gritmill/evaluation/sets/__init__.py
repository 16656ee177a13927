"""Sets with true boxes, each in its published format.

truth                                what each loader returns
flickr30k_entities, refcoco, jsonl   the loaders; `jsonl` is for custom sets
open_truth                           opens a set by the name of its format
"""
