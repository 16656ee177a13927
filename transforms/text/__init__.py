"""Kept boxes -> grounded text."""
