"""Who an account is: DID documents, handles, keys."""
