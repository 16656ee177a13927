"""Caption -> noun phrases and referring expressions.

parser             the spaCy pipeline that parses captions
markup             hides HTML from the parser
whole_words        makes one token of each word with hyphens
quotations         text in quotation marks, such as what is written on a sign
parsed_caption     a parsed caption in the form that the rules use, and its separators
chunks             noun chunks with corrected borders
word_lists         lists of words that settings choose by name
drop_lists         heads of noun phrases that name nothing one can draw a box around
drops              which phrases are dropped, also by their context; what stock agencies append
measures           nouns that measure what follows "of"
noun_phrases       the rules: noun chunks, measures, drops, expressions
rules              the rules of a configuration
language           an optional gate that rejects captions in other languages
class_names        the class of a phrase, for detectors with a fixed list of classes
same_things        words that may name one thing: the lists of `same_things.yaml`
phrase_extractor   pairs -> pairs with phrases
"""
