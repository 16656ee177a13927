"""Kept boxes -> grounded text.

grounded_caption   a caption with its disjoint spans; what a dialect is
dialects/          one file a dialect
"""
