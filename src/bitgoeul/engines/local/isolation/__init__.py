"""The three tiers of the local engine, from what the kernel offers to what a job gets."""
