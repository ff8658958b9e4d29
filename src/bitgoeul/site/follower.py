"""The follower process: hands waiting jobs to their engines and writes down what the engines saw."""

from __future__ import annotations

import django


def main() -> None:
    """Run until told to stop."""
    django.setup()
    from django.conf import settings

    from bitgoeul.compute import facade as compute

    from .loops import Step, run_loop
    from .schema import require_current

    require_current("follower")
    run_loop("follower", settings.HOME, [Step("follow", compute.follow_once)])


if __name__ == "__main__":
    main()
