"""The full example into an empty home: seconds of wall and processor, and that the books agree after it.

    python bench/example_load.py [--share N]

One JSON line. A target of two minutes on two free cores stands on the wall time; on a busy machine the processor's
seconds say what the load itself costs. ``--share N`` loads one part in N. BITGOEUL_DATABASE_URL loads PostgreSQL.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--share", type=int, default=1)
    share = options.parse_args().share
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bitgoeul.site.settings")
    with tempfile.TemporaryDirectory() as home:
        os.environ["BITGOEUL_HOME"] = home
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        print(json.dumps({"bench": "example", "share": share, **measure(share)}))


def measure(share: int) -> dict[str, object]:
    from bitgoeul.audit import facade as audit
    from bitgoeul.ledger import facade as ledger
    from bitgoeul.site.example import load

    wall, processor = time.monotonic(), time.process_time()
    parts = {step.part: step for step in load(full=True, share=share)}
    found: dict[str, object] = {
        "seconds": round(time.monotonic() - wall, 1),
        "processor_seconds": round(time.process_time() - processor, 1),
        "history_seconds": round(parts["projects"].seconds, 1),
    }
    wall = time.monotonic()
    again = [step.part for step in load(full=True, share=share)]
    found |= {"again_seconds": round(time.monotonic() - wall, 1), "parts": len(again)}
    books, chain = ledger.verify(), audit.verify()
    return {**found, "books_agree": books.ok, "chain_agrees": chain.ok, "postings": books.counts["postings"]}


if __name__ == "__main__":
    main()
