"""Candidate boxes -> kept boxes, and what becomes of the pair.

select_boxes      the selection of one pair: score, size, suppression, caps
select_many       the same for many pairs at once
judge             kept, rejected or failed
threshold_sweep   what other score thresholds would keep
"""
