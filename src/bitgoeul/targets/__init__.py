"""Target plug-ins: what a subject runs on."""
