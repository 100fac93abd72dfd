"""One small module for a family of collections: record to row."""
