"""Decoys: phrases of other captions, asked of an image in which they should find nothing.

choose   the pairs of a chunk -> the decoys of each pair
"""
