"""Pages for people.

report, calibration   report.html of a run; calibration.html
viewer/               samples with their boxes, and a slider
thumbnails            small pictures for both
"""
