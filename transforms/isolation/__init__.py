"""Finding the one picture that makes a batch fail, and work in a process that may die."""
