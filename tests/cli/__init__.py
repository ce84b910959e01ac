"""Tests of the command line: messages, exit codes, and what they say of modules."""
