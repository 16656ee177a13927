"""HTML pages and data cards.

report                report.html of a run
render                renders the templates: report.html.jinja and calibration.html.jinja, whose charts are in
                      charts.html.jinja; card.md.jinja, the data card of an export
viewer/               the page of `gritmill view`: samples with their boxes, and a threshold slider
thumbnails            small images for the report and the viewer
"""
