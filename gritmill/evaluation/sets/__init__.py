"""Sets with true boxes, each in its published form."""
