"""Parquet files: schemas, layout, and the store that makes them durable."""
