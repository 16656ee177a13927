"""Caption -> noun phrases and referring expressions."""
