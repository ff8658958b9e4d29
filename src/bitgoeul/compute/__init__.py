"""Jobs: what is asked, held, run by an engine, followed, metered, settled and kept."""
