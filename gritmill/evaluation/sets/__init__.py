"""Sets with true boxes or statements, each in its published format.

truth                                     what each loader returns
flickr30k_entities, refcoco, vsr, jsonl   the loaders; `jsonl` is for custom sets
fields, statements                        JSON objects of custom sets
coco_boxes                                boxes of COCO's images, for `vsr`
open_truth                                opens a set by the name of its format
"""
