"""Trials of `gritmill calibrate --without-truth` and `--clicks` on scenes, whose true boxes are known.

A run on scenes is recorded once. Its scores are then weakened, its counts and decoys disturbed, many times, on arrays.

recorded   a run folder of scenes -> arrays of candidates, with the true things
weakened   weaker detectors, and disturbances
trials     draws of images: how far the F1 at the estimated threshold is below the best F1
clicks     the same for answers about boxes, and how often the intervals of precision contain the truth
"""
