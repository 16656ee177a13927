"""Pages for people.

report                report.html of a run
render                templates -> pages: report.html.jinja, calibration.html.jinja, and the charts of both in
                      charts.html.jinja; card.md.jinja, the data card of an export
viewer/               samples with their boxes, and a slider
thumbnails            small pictures for both
"""
