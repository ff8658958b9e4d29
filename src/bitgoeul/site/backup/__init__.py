"""Backups: one archive of database, contents, heads and keys, and the way back from it."""
