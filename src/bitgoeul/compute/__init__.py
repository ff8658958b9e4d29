"""Jobs, the engine port and metering."""
