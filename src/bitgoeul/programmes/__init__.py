"""Calls, applications, decisions and agreements."""
