"""How good boxes and phrases are, against those of people: `gritmill eval` and `gritmill calibrate`.

A set's loader in `sets/` gives captions with true boxes, `query` puts their phrases to the detector as a run does,
`metrics`, `curves` and `phrases` count, `tables` shows. `quality` measures a finished run. docs/evaluation.md has the
protocols.
"""
