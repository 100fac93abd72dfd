"""Repositories: listing, shard plan, fetch, extraction."""
