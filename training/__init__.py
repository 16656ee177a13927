"""The programs that made the models in `models/`, and make them again."""
