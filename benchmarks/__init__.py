"""Speed and memory, measured side by side: `python -m benchmarks` prints the table of docs/performance.md."""
