"""What tells one model from another.

identify   the content of a model as a short text, after checking that the model can be had
cache      identities that are known already, as long as no file of the model has changed
"""
