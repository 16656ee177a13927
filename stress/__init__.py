"""Long trials of what the documentation promises: `make stress`. They print figures; they are no part of the tests."""
