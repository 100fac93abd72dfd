"""Images and other blobs of accounts, fetched from their hosts, proven by their CIDs, made small enough to show."""
