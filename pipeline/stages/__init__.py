"""The stages of `ground`: steps that run a model and return one row per pair.

base              the base class of a stage
hashes            the stage that hashes images before the other stages begin
phrases, boxes    the two built-in stages with models, which compute detections
given_boxes       the built-in stage for boxes that the source brings
decoys            the built-in stage that asks for phrases of other captions
configured        the stages of a configuration, in the order of the graph
runner            common to all stages: loads a model once, bisects failures, isolates crashes, measures time
run_stage         the PTransform, which uses RunInference
"""
