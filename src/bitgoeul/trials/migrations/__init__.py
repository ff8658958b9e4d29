"""Schema history of the trials room."""
