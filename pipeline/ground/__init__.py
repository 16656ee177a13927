"""The half that runs models: sources -> detections.

driver, options     plans, drops what is done, runs the graph on the rest; what a call may ask for
resume              whether a run goes on with what is in its folder
retry, attempts     chunks that are done again; chunks whose process has died
graph, progress     the graph; how far it is
chunks              a range -> its chunks (`read_chunks`: the PTransform)
load_images         images that are files of their own; the size of all
stage_tables        tables beside detections: with which settings, and which ranges are out of date
commit_chunk        a chunk's rows -> their table (`commit_rows`: the PTransform)
"""
