"""Comparison of two sides' rows, range by range, whatever stores they lie in."""
