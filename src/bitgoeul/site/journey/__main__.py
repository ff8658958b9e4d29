"""`python -m bitgoeul.site.journey`."""

import sys

from . import main

sys.exit(main())
