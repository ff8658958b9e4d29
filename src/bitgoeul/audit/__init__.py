"""What happened: events, hash chain, outbox, state moves, access records."""
