"""Pages that join rooms: the front page, one's home, a project, the stage board."""
