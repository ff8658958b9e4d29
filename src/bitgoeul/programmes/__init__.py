"""Calls, plans, applications, decisions and agreements, up to the allocation."""
