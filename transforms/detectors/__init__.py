"""Phrases + picture -> candidate boxes.

base               what a detector is: `Request`, `Found`, `Detector`
family, settings   what a family of detectors is; the section `detector`, with the keys of all of them
plugin             detectors of one's own, by `package.module:factory`
load               the families by `model_type`; the detector that the configuration names
candidates         the request that a pair makes, and the pair with the boxes of the answer
check_answers      whether a detector's answers can be used
decodable_only     a detector that is asked by one thread at a time, and about pictures that decode in full
resize, batches    picture -> input tensor without padding; batches of equal size, decoded in threads
grounding_dino/    the Grounding DINO family of transformers
phrase_locator     pairs with phrases -> pairs with boxes
"""
