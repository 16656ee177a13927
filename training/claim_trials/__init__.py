"""Trials of the rules for claims on data of people, and on scenes: the tables of docs/claims.md.

What a data set states about its own boxes is held against them, and so is the same with left and right, above and
below swapped. `gritmill eval --relations` does this for captions with statements; here are the sets that have none.

rows         counts of verdicts, and their table
scene_pairs  all pairs of things of scenes that do not overlap on an axis
parsed       captions with their phrases and claims
refcoco      expressions: places in the picture, the first from one side, relations to other things
photos       captions of COCO, as they are read, on COCO's boxes
marks        captions of COCO whose claims were marked by hand: reading only
"""
