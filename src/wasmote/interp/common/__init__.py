"""What the interpreters have in common: numbers in bodies, accumulators, calls that leave,
backtraces, clauses that catch exceptions.

Nothing here knows how an interpreter lays out its frames or its code.
"""
