"""The ahead-of-time compiler: what it makes, and that it runs as the interpreters do."""
