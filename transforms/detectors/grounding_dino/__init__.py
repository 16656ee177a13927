"""The Grounding DINO family of transformers.

prompts      phrases -> prompts, as token ids with the token span of every phrase
model        a checkpoint as a `Detector`
boxes        what the model gives for one prompt -> candidate boxes
optimized/   its forward, with modules replaced by faster ones
"""
