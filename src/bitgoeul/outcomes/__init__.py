"""Indicators, verified claims and public figures."""
