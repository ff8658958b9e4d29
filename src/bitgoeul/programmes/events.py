"""The room's news: topics and what their payloads hold.

Every move of an application is news under ``application.<action>`` with ``{"id", "from", "to", "version"}``.
"""

from __future__ import annotations

from typing import Final

APPLICATION_SELECTED: Final = "application.select"
"""Adds ``{"agreement_id", "organisation_id"}``: an agreement waits for both signatures."""
APPLICATION_REJECTED: Final = "application.reject"
"""Adds ``{"organisation_id"}``."""
APPLICATION_ALLOCATED: Final = "application.allocate"
"""Adds ``{"agreement_id", "organisation_id", "project_id"}``: the allocations can be used."""
