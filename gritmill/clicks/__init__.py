"""A hundred clicks: a person says of some boxes of a run whether they are right, and a curve is fitted to the answers.

spread        chooses boxes that are spread over the scores
clicks_file   `clicks.json`: the boxes and the answers, as the page of `gritmill view` saves them
curve         answers -> how likely a box of each score is right, with its uncertainty
result        the curve and the run's numbers of boxes -> precision and thresholds
"""
