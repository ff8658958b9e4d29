"""Users, organisations, projects, memberships and may()."""
