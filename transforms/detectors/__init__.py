"""Phrases + picture -> candidate boxes.

base               what a detector is: `Request`, `Found`, `Detector`
load               the detector that the configuration names
candidates         what a detector is asked about a pair, and the pair with its answer
checked            what a detector answers, checked
decodable          a detector that is asked only about pictures that decode in full
shared, isolated   one detector for all threads of a process; one in a process of its own
resize, batches    picture -> input tensor without padding; batches of equal size, decoded in threads
grounding_dino/    the Grounding DINO family of transformers
localize_phrases   the PTransform, through RunInference
"""
