"""The steps that turn a pair into a grounded sample.

wording, culprits   words of messages; errors of user code, with file and line
conditions          conditions on the columns of a source: `punsafe < 0.5`
records, settings   the records that pass between the steps; the settings of the steps
filters             which pairs are rejected before a model processes them
plugins             loads user code: `package.module:factory`, and entry points of packages
bundled, devices    the models, configurations and examples in gritmill; device and CPU cores of this process
perceptual_hash     64-bit hashes of images, and which of them are near
jpeg_header         tells from the header of a JPEG that it is stored as it is
images              measures an image, decodes it, turns it upright
read_ahead          runs work in threads, ahead of the consumer
garbage             when Python looks for cyclic garbage: rarely, and not during imports
models              the interface of a model that a stage runs
annotations/        phrases and boxes that the source brings, in place of those of a model
isolation/          finds the image that makes a batch fail; runs a model in a child process
phrases/            caption -> noun phrases and referring expressions (spaCy)
claims/             parsed caption with phrases -> what it says: counts, relations, ranks; held against boxes: verdicts
detectors/          phrases + image -> candidate boxes
text/               kept boxes -> grounded text, in a dialect of `text/dialects/`
selection/          candidate boxes -> kept boxes, and the outcome of the pair: kept, rejected or failed
grit_record         kept boxes -> a GRIT record
decoys/             phrases of other captions, which should find nothing in an image
stated_numbers      how many things a phrase names, by the words of its caption

`pack` selects the boxes of all pairs of a chunk at once, on arrays: `pipeline.pack.select_rows` calls
`selection.select_boxes.select_many`. Then `selection.judge.judge_selected` decides the outcome of each pair; it rejects
a pair whose text a configured dialect cannot write. If the settings say so, `judge_claims` then rejects a pair whose
claims its boxes contradict. `select` and `judge` do the same for a single pair; the viewer, the report and the
evaluation use them.

A module imports only modules that are listed above it. This package imports neither Beam nor `pipeline`, and does not
handle plans or run folders.
"""
