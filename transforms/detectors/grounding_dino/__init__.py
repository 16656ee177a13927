"""The Grounding DINO family of transformers.

settings     the keys of the family
prompts      phrases -> prompts, as token ids with the token span of every phrase
precision    what the family supports on a CPU
family       the two model types as a `Family`
model        a checkpoint as a `Detector`
input_size   the size of the input, and whether it is large enough
input_buffer the images of a batch -> the model's input
boxes        the model's output for one prompt -> candidate boxes
optimized/   a faster forward pass: replaces some modules of the model
"""
