"""Identifiers to rows: everything that the views of one answer need, in a constant number of queries."""
