"""Units, accounts, transfers and holds: double entry in whole numbers."""
