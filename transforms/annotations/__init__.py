"""Phrases and boxes that a source brings. They take the place of what a model would find.

columns    which columns of the source hold them, and how a box is written
cells      the items of a cell, which may be a text with JSON
spans      an item -> characters of the caption; the head of a phrase
boxes      an item -> a box and what it says about its phrase
labels     which phrase of a caption a label names
annotate   a pair -> the pair with its given phrases, or with its given boxes
model      the model of a stage that also decodes the images
"""
