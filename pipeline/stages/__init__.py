"""The stages of `ground`: steps that run a model and give one row a pair.

base              what a stage is
phrases, boxes    the two that make detections
configured        the stages of a configuration, in the order of the graph
runner            what is the same for all: load once, bisect, isolate, time
run_stage         the PTransform, through RunInference
"""
