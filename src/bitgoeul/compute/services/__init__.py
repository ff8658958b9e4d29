"""Every write of the compute room."""

from __future__ import annotations

from .cancelling import cancel_job, write_off_job
from .following import follow_once
from .submitting import estimate, submit_job

__all__ = ["cancel_job", "estimate", "follow_once", "submit_job", "write_off_job"]
