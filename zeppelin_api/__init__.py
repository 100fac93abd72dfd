"""The AppView: a thin HTTP service that reads the warehouse."""
