"""Identities of models: texts that are equal only if the models are equal.

identify   computes the identity of a model, after checking that the model is available
compare    whether the models of a worker are those of a plan
cache      identities that were computed before; valid until a file of the model changes
"""
