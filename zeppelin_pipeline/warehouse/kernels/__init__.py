"""Compiled loops over the buffers of Arrow's arrays: what the keys of a batch cost.

Arrays come from Parquet files of our own; still each loop looks whether a text's bounds lie in its
buffer before it reads.
"""
