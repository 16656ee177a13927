"""relations: statements about places, sizes and numbers that boxes decide, as often true as false.

things     a record -> the things that one expression names: "the cup", "the leftmost dog"
facts      the things of a record -> what their boxes state clearly
wording    a fact -> the sentences that say it, or its opposite
as_v2      a statement -> a conversation in the form of All-Seeing v2
balance    the facts of all pictures -> as many true as false statements for each wording
format     the export: the shards of a run -> rows in the form of VSR, or conversations in that of AS-V2
"""
