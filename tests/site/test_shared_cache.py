"""Rate limits and used codes count over all processes, and one of many at once is the first."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError

import pytest
from django.core.cache import cache
from django.core.cache.backends.filebased import FileBasedCache

OTHER = (
    "import django; django.setup()\n"
    "from django.core.cache import cache\n"
    "print(cache.add('code', 'used', 30), cache.get('hits'))\n"
)


@pytest.fixture(autouse=True)
def empty():
    cache.clear()
    yield
    cache.clear()


def test_another_process_knows_what_this_one_counted():
    cache.set("hits", [1.0, 2.0], 30)
    assert cache.add("code", "used", 30)
    done = subprocess.run([sys.executable, "-c", OTHER], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0] == "False [1.0, 2.0]"


def test_one_of_many_at_once_is_the_first(monkeypatch):
    both = Barrier(2)
    looked = FileBasedCache.has_key

    def look_together(self, *args, **kwargs):
        found = looked(self, *args, **kwargs)
        try:
            both.wait(timeout=0.5)  # without the lock both have looked before either writes
        except BrokenBarrierError:
            both.reset()
        return found

    monkeypatch.setattr(FileBasedCache, "has_key", look_together)
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(lambda _n: cache.add("code", "used", 30), range(2))) == [False, True]
