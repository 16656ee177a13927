"""Which sources there are, cut into which ranges."""
