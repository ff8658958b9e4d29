"""The composition root: settings, urls, command line, base templates and the pages that join rooms."""
