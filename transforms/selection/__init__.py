"""Candidate boxes -> kept boxes, and what becomes of the pair."""
