"""The validator: one pass over each function body (spec: Appendix, Validation Algorithm).

`body.py` is the loop over the instructions with the frequent ones; the others are in files by
family. `tables.py` derives what the loop needs to know of plain instructions from the isa.
"""
