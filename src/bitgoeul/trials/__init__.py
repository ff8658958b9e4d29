"""Subjects, protocols, trials, records, evidence and stages."""
