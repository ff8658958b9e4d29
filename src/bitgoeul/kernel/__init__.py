"""The base every room stands on: errors, text, state tables, quantities, clock, ids, canonical bytes, signing."""
