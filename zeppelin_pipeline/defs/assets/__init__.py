"""The assets, in the order in which data flows through them: network, shards, warehouse, counts."""
