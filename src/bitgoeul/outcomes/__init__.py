"""The two registers: what was reported elsewhere, and what this installation has verified."""
