"""The bare Django list page that ours are measured against: filter, count, 20 joined rows, sessions."""
