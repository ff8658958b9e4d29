"""The bare page's WSGI application, for ``bench/list_pages.py``; run alone it does nothing."""

from __future__ import annotations

import os

if os.environ.get("BARE_HOME"):
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
