"""`python -m bitgoeul.site.cli`."""

from . import main

main()
