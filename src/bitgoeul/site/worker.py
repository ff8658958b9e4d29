"""The worker process: delivers news, seals the audit chain, and lets go of what has run out."""

from __future__ import annotations

import django

ACTOR = "system:worker"


def main() -> None:
    """Run until told to stop."""
    django.setup()
    from django.conf import settings

    from bitgoeul.accounts import facade as accounts
    from bitgoeul.audit import facade as audit
    from bitgoeul.kernel.clock import now
    from bitgoeul.ledger import facade as ledger
    from bitgoeul.outcomes import facade as outcomes
    from bitgoeul.resources import facade as resources

    from .loops import Step, run_loop
    from .schema import require_current

    require_current("worker")

    def write_head() -> int:
        audit.write_head()
        return 0

    steps = [
        Step("dispatch", lambda: audit.dispatch_once(limit=20)),
        Step("seal", lambda: audit.seal(limit=500), every_seconds=1.0),
        Step("expire holds", lambda: len(ledger.expire_holds(now=now(), actor=ACTOR)), every_seconds=5.0),
        Step("expire allocations", lambda: resources.expire_due(now()), every_seconds=30.0),
        Step("forget failed sign-ins", accounts.forget_old_attempts, every_seconds=600.0),
        Step("write chain head", write_head, every_seconds=60.0),
        # Nothing announces the end of an embargo.
        Step("look at embargoes", outcomes.look_again, every_seconds=60.0),
    ]
    run_loop("worker", settings.HOME, steps)


if __name__ == "__main__":
    main()
