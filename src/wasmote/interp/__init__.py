"""The interpreters. They know the core and the instruction definitions, nothing of the host."""
