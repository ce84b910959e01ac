"""Tests of the core runtime: store, memories, tables, constant expressions, instantiation."""
