"""The claims of a caption (counts, relations, ranks) -> verdicts, by pure geometry on boxes.

verdicts          the three verdicts, the version of the rules, and what is known about the boxes of a phrase
geometry          numbers of two boxes: offset, gap, share; rounded
group_boxes       boxes around several things, which have no vote in counts
check_relations   two boxes, or a box and the picture: what a predicate demands, and whether it can be proven
check_counts      how many boxes a phrase has: exactly, at least, none
check_ranks       the second from the left, the largest: a box among the others of its noun
check_claims      a claim and the boxes of its phrases -> a verdict with the numbers that it depends on
"""
