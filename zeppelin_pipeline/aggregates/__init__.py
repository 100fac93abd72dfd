"""Derived counts, recomputed from the base tables by key range."""
