"""Tests of the Python API and of the boundary to CPython."""
