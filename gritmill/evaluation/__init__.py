"""How good boxes and phrases are, against those of people: `gritmill eval` and `gritmill calibrate`.

A set's loader gives captions with true boxes (`truth`), `ask` puts their phrases to the detector as a run does,
`metrics` and `calibration` count, `report` and `page` show. docs/evaluation.md has the protocols.
"""
