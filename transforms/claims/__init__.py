"""What a caption says about its things: how many there are, how they lie to each other, which of several is meant.

Three kinds of claims, see `transforms.records.Claim`. They are read off the parse, without a look at any box:

word_lists   the lists of `predicates.yaml`, `quantities.yaml`, `stuff.yaml` and `parts.yaml`
stuff        nouns that have no instances: sky, grass, road
sentence     a parsed caption with its noun chunks, in the form that the rules use
numerals     "two", "3 or 4", "half a dozen"; not "number 5", "50 in."
single       "only one dog", "a lone dog"; not "a single bed"
quantities   what the words of one noun chunk say about a number
unsure       words that leave open whether a thing is there: "waiting for a bus", a quotation
presence     what a caption says is not there: "no dog", "without a helmet"
counts       "two dogs", "a couple of dogs", "two of the dogs", "dogs"
attachment   which of the noun chunks before some words these can belong to
verbs        the subject of a verb
subjects     which noun chunk a preposition or a verb says something about
relations    "a cup on a table", "a man on the left side of the picture"
ranks        "the second dog from the right", "the tallest object"
read_claims  a parsed caption -> its claims, and its phrases without those of absent things

`reading_version` is the version of this code.

And they are held against boxes, by geometry alone:

verdicts          the three verdicts, the version of the rules, and what is known about the boxes of a phrase
geometry          numbers of two boxes: offset, gap, share; rounded
group_boxes       boxes around several things, which have no vote in counts
check_relations   two boxes, or a box and the picture: what a predicate demands, and whether it can be proven
check_counts      how many boxes a phrase has: exactly, at least
check_ranks       the second from the left, the largest: a box among the others of its noun
check_claims      a claim and the boxes of its phrases -> a verdict with the numbers that it depends on
"""
