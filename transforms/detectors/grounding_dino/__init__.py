"""The Grounding DINO family of transformers.

settings     the keys that it takes
prompts      phrases -> prompts, as token ids with the token span of every phrase
family       the two model types as a `Family`
model        a checkpoint as a `Detector`
boxes        what the model gives for one prompt -> candidate boxes
optimized/   its forward, with modules replaced by faster ones
"""
