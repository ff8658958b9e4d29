"""Engines: plug-ins that really run jobs; each implements ``bitgoeul.compute.ports`` and nothing more."""
