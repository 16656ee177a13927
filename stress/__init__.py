"""Long trials of guarantees in the documentation, run by `make stress`. They print figures and are not tests."""
