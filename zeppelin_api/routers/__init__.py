"""The methods, one module for each namespace of the lexicons, and the plain HTTP routes."""
