"""Benchmarks of speed and memory. `python -m benchmarks` prints the table of docs/performance.md."""
