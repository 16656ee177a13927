"""Which boxes a phrase can have: what a detector is, how one is loaded, and the families that come with gritmill."""
