"""What happens to a pair, room by room.

records, settings   the records that flow; what a user can set about these steps
plugins             code from outside, by `package.module:factory`
bundled, devices    what comes with gritmill besides code; device and cores of this process
images              measure a picture, decode it, turn it upright
read_ahead          work in threads, ahead of whoever takes its results
models              what a stage runs: rows for pairs
isolation/          find the one picture that makes a batch fail; work in a process that may die
phrases/            caption -> noun phrases and referring expressions (spaCy)
detectors/          phrases + picture -> candidate boxes
text/               kept boxes -> grounded text, in a dialect of `text/dialects/`
selection/          candidate boxes -> kept boxes, and whether the pair is kept: it must be possible to write its text
grit_record         kept boxes -> a GRIT record

A room imports from those listed above it. Nothing here knows of Beam, files, plans or runs; those are in `pipeline`.
"""
