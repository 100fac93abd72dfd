"""A small AT Protocol network on loopback: PLC directory, PDS hosts, relay, and faults on demand."""
