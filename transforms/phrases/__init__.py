"""Caption -> noun phrases and referring expressions.

parser             the spaCy pipeline that parses captions
parsed_caption     a parsed caption as the rules look at it, and its separators
noun_phrases       the rules: noun chunks, drops, expressions
drop_lists         heads of noun phrases that name nothing to draw a box around
language           an optional gate for captions in other languages
phrase_extractor   pairs -> pairs with phrases
"""
