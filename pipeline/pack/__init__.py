"""Detections -> shards: the half that runs no model."""
