"""Trains `models/caption-parser`, the small spaCy pipeline that finds the noun phrases of captions."""
