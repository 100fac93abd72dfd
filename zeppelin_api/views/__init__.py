"""Rows to the JSON of the lexicons: pure functions."""
