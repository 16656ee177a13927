"""How good boxes and phrases are, against those of people: `gritmill eval` and `gritmill calibrate`.

sets/                               loaders: captions with true boxes, each set in its published form
query_detector                      the phrases of a set are put to the detector as a run does it
evaluate, measure_boxes, metrics    `eval`: boxes against true ones; recall and accuracy
phrases, grammatical_kinds          `eval --phrases`: extracted phrases against marked ones; singular or plural
calibrate, calibration, curves      `calibrate`: precision and recall by threshold
quality                             a finished run against a truth that its pairs bring along
tables, options                     tables on the screen; the options of both commands

docs/evaluation.md has the protocols.
"""
