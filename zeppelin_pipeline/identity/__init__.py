"""Who an account is: DID documents, the mirror of the PLC directory, handles verified both ways.

For an `#identity` event call `store.refresh_identity(connection, *dids)` in the transaction that holds the event; the
worker `refresh.refresh_due` resolves the accounts anew, and `handles.verify_due` verifies their handles.
"""
