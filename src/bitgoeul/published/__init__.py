"""Finished results that others measured and published: read and derived again, never counted as measured here."""
