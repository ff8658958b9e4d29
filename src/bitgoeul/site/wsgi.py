"""The WSGI application that the web process serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bitgoeul.site.settings")
_django = get_wsgi_application()

from .uploads import in_time  # noqa: E402 - it needs the settings

application = in_time(_django)
