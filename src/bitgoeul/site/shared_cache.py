"""The cache that all processes of an installation share: files in its home.

django-allauth counts its rate limits in it and remembers there which codes of an authenticator app were used.
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

from django.core.cache.backends.filebased import FileBasedCache


class SharedCache(FileBasedCache):
    """Django's cache in files, in which ``add`` says True to one of all processes and threads."""

    _dir: str

    def add(self, *args: Any, **kwargs: Any) -> bool:
        """Keep a value that is not there yet; True for the one who did. Raises OSError when the home is full."""
        # Django's own looks and then writes: two at once would both have used the same code first.
        folder = Path(self._dir)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / "lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            return super().add(*args, **kwargs)
