"""Candidate boxes -> kept boxes, and the outcome of the pair.

select_boxes      the selection: score, size, suppression, caps; for many pairs at once (`pack`) or for one pair
judge             the outcome of a pair: kept, rejected or failed
threshold_sweep   the result of every other score threshold
"""
