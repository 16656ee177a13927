"""The durable table between the two halves."""
