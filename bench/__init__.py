"""Measured work: one file per claim. Every figure is a ratio of two things measured in the same run.

Called by `python -m bench` and by nothing else; no test and no part of the program imports it.
"""
