"""Caption -> noun phrases and referring expressions.

parser             the spaCy pipeline that parses captions
parsed_caption     a parsed caption in the form that the rules use, and its separators
noun_phrases       the rules: noun chunks, drops, expressions
drop_lists         heads of noun phrases that name nothing one can draw a box around
language           an optional gate that rejects captions in other languages
class_names        the class of a phrase, for detectors with a fixed list of classes
phrase_extractor   pairs -> pairs with phrases
"""
