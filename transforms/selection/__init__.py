"""Candidate boxes -> kept boxes, and what becomes of the pair.

select_boxes      the selection, of many pairs at once: score, size, suppression, caps
judge             kept, rejected or failed
threshold_sweep   what other score thresholds would keep
"""
