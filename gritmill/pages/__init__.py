"""Pages for people: the report, the calibration, the viewer."""
