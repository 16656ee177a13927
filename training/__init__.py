"""Training programs for the models in `models/`."""
