"""Kept boxes -> grounded text.

grounded_caption   a caption with its disjoint spans; the interface `Dialect`
dialects/          the dialects of grounded text
"""
