"""`gritmill view`: some pairs of a finished run as a page that opens from disk.

`sample` chooses the pairs, `pictures` makes their thumbnails, `data` says what the page is told, `page` writes the
folder, `serve` shows it on this machine. `static/` is the page itself.
"""
