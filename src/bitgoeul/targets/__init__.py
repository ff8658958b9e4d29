"""Target plug-ins: chips with their software, and what makes and asks them."""
