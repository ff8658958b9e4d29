"""Protocol plug-ins."""
