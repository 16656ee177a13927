"""Candidate boxes -> kept boxes, and the outcome of the pair.

select_boxes        the selection: score, size, suppression, caps; for many pairs at once (`pack`) or for one pair
ambiguous_phrases   phrases whose boxes could each belong to another phrase
at_floor            what the detector found for a phrase at its floor
check_kept          verdicts on the claims of kept pairs
contradictions      pairs whose boxes contradict what their caption says
judge               the outcome of a pair: kept, rejected or failed
threshold_sweep     the result of every other score threshold
"""
