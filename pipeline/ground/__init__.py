"""Sources -> detections: the half that runs models."""
