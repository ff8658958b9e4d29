"""The base of every room: errors, text, state tables, quantities, clock, ids, canonical bytes, signing."""
