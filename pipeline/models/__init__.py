"""What tells one model from another, and what is known of a model already."""
