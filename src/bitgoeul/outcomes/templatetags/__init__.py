"""Template filters of the outcomes room."""
