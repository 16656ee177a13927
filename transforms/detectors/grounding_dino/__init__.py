"""The Grounding DINO family: prompts, the model, boxes from what it gives, and its forward with faster modules."""
