"""`gritmill view`: some pairs of a finished run as a page that opens from disk.

`pick_pairs` chooses the pairs, `page_data` writes what the page knows, `page` writes the folder, `view` does all of it,
`serve` shows it on this machine. `static/` is the page itself.
"""
