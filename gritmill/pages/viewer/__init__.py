"""`gritmill view`: shows a sample of the pairs of a finished run on a page that opens from disk.

pick_pairs      chooses the pairs
boxes_to_check  the boxes that the page asks about
page_data       the data of the page, as a script
claim_data      the claims of a pair with their verdicts at each stop of the slider
page            writes the folder of the page
view            the command: uses the four above
serve           serves the folder on localhost
static/         HTML, CSS and JavaScript of the page
"""
