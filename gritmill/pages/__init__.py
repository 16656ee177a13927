"""Pages for people.

report                report.html of a run
render                templates -> pages: report.html.jinja, calibration.html.jinja, and the charts of both in
                      charts.html.jinja
viewer/               samples with their boxes, and a slider
thumbnails            small pictures for both
"""
