"""How a pipeline is run: options, local workers, placement, progress."""
