"""Decoys: phrases of other captions, asked of an image in which they should find nothing.

same_things   words that may name one thing: the lists of `same_things.yaml`
choose        the pairs of a chunk -> the decoys of each pair
"""
