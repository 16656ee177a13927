"""`ground`, the command that runs models: sources -> detections.

driver, options     plans the run and runs the graph on unfinished ranges; options of a call
messages            what people are told, on the screen and in the log
resume              decides whether a run resumes the plan in its folder
retry, attempts     chunks to process again; who works on a chunk, and how many processes died at it
graph, progress     the Beam graph; the progress of a run
count_rows          the rows of finished ranges, and how many of them failed
chunks              a range -> its chunks (`read_chunks`: the PTransform)
near_duplicates     which images look like an earlier or an excluded one, from the table `hashes/`
load_images         reads images that are separate files; measures all images
stage_tables        tables of custom stages: their settings, and which of their ranges are out of date
check_worker        whether a worker of an engine has the models and the user code of the run
commit_chunk        the rows of a chunk -> their table (`commit_rows`: the PTransform)
"""
