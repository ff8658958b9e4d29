"""Template filters of the programmes room."""
