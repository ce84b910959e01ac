"""What the interpreters have in common: numbers in bodies, accumulators, calls that leave,
backtraces.

Nothing here knows how an interpreter lays out its frames or its code.
"""
