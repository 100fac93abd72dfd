"""Zeppelin: the AT Protocol network, verified from signature to row."""
