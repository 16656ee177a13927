"""`gritmill validate`: a finished run, read back and checked."""
