"""Phrases + image -> candidate boxes.

base               the interface of a detector: `Request`, `Found`, `Detector`
family, settings   the interface of a family of detectors; the section `detector`, with the keys of all families
plugin             your own detectors, named as `package.module:factory`
load               the families by `model_type`; loads the detector that the configuration names
candidates         pair -> request; pair + answer -> pair with boxes
check_answers      checks the answers of a detector
decodable_only     wraps a detector: one thread at a time, only images that decode in full
upscale            bilinear upscaling with the bytes that Pillow gives
resize, batches    image -> pixels of the input, without padding; batches of equal size, decoded in threads
grounding_dino/    the Grounding DINO family of transformers
phrase_locator     pairs with phrases -> pairs with boxes
"""
