"""Sets with true boxes, each in its published form.

truth                                what every loader gives
flickr30k_entities, refcoco, jsonl   the loaders; `jsonl` is for sets of your own
open_truth                           the set, by the name of its form
"""
