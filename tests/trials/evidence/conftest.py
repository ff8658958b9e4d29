"""Evidence of judged trials: what is tested here begins after the judge."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from judged import Judged, judge


@pytest.fixture(autouse=True)
def own_files(settings: Any, tmp_path: Path) -> None:
    """Keys and signed heads of this test alone."""
    settings.KEYS = tmp_path / "keys"
    settings.HEADS = tmp_path / "heads"


@pytest.fixture
def owner(ara: Any, project: Any) -> Any:
    """Ara with the roles she has since the project exists."""
    from bitgoeul.accounts import facade as accounts

    return accounts.actor_for(user_id=ara.user_id)


@pytest.fixture
def judged(project: Any) -> Callable[..., Judged]:
    """A judged trial of Ara's project: ``judged(verdict=...)``."""
    return partial(judge, project.id)


@pytest.fixture
def issue(judged: Callable[..., Judged]) -> Callable[..., Any]:
    """Issue evidence of a new trial: ``issue()`` private, ``issue(Visibility.PUBLIC)`` public."""
    from bitgoeul.trials.evidence import issue_evidence
    from bitgoeul.trials.evidence_types import Audience, Visibility

    def make(visibility: Visibility = Visibility.PRIVATE, **changes: Any) -> Any:
        ready = judged(**{name: value for name, value in changes.items() if name == "verdict"})
        audience = Audience(visibility, changes.get("organisations", ()), changes.get("embargo_until"))
        return issue_evidence(**ready.__dict__, audience=audience, actor="system:judge")

    return make
