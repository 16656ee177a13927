"""`gritmill audit`: faults of grounded data of any origin, without images.

options        the options; imports fast
audit          the Python function
grounded_row   a caption with its boxes, as written
formats        GRIT, ODVG, COCO and MDETR, hf, truth: a row -> a `GroundedRow`
read_dialect   texts in a dialect -> `GroundedRow`
read_file      a file -> rows, as dictionaries or texts
read_rows      recognises the format of a file, and reads its rows in it
find_files     inputs -> files
check_words    what the words of a span say about it
other_formats  data that is not read, and what to do
same_image     which rows have the same image
checked_row    a row with what several checks need
checks         the table of checks
claims         the claims of captions, held against the boxes
rates          rates with intervals
run            reads files, and adds up what the checks find
"""
