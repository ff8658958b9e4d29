"""Every write of the compute room."""

from __future__ import annotations

from .cancelling import cancel_job, write_off_job
from .following import follow_once
from .history import PastJob, define_cluster, import_jobs
from .metering import Ingested, close_month, ingest, refund
from .provisioning import ask_to_look, drift, provision
from .pulling import Pulled, pull
from .reconciling import Reconciled, month_days, reconcile
from .submitting import estimate, submit_job, submit_jobs
from .sweeping import cancel_sweep, submit_sweep

__all__ = [
    "Ingested",
    "PastJob",
    "Pulled",
    "Reconciled",
    "ask_to_look",
    "cancel_job",
    "cancel_sweep",
    "close_month",
    "define_cluster",
    "drift",
    "estimate",
    "follow_once",
    "import_jobs",
    "ingest",
    "month_days",
    "provision",
    "pull",
    "reconcile",
    "refund",
    "submit_job",
    "submit_jobs",
    "submit_sweep",
    "write_off_job",
]
