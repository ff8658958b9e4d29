"""Template builtins of the portal."""
