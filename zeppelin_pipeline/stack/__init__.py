"""Processes: the embedded Postgres, the supervisor, and what `up` and `demo` run."""
