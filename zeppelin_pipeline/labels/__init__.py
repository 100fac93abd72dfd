"""Labels of all labelers: verified, folded, merged with the stream's cursor. What shows them is the API."""
