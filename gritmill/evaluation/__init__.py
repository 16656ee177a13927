"""Measures boxes and phrases against human annotations or stated numbers: `gritmill eval` and `gritmill calibrate`.

sets/                               loaders: captions with true boxes, each set in its published format
query_detector                      queries the detector for the phrases of a set, as a run does
evaluate, measure_boxes, metrics    `eval`: boxes against true boxes; recall and accuracy
phrases                             `eval --phrases`: extracted phrases against marked phrases
relations, reading                  `eval --relations`: what captions state, against what is read off their parse
verdict_figures                     and against boxes: the verdicts on true and on false statements
calibrate, calibration, curves      `calibrate`: precision and recall by threshold
stated_numbers                      `calibrate --without-truth`: how many things a phrase names, by the caption's words
number_f1                           the numbers of boxes against stated numbers, by threshold; decoys
without_truth                       a run's detections and decoys -> the threshold
grammatical_kinds                   `calibrate`: singular or plural, noun chunk or expression
blind_accuracy                      how many statements are answered without the picture, from their words
quality                             a finished run against the truth in the `meta` of its pairs
tables, relation_tables, options    tables for the terminal; the options of both commands

docs/evaluation.md describes the protocols.
"""
