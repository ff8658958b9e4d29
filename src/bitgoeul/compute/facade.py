"""What other rooms may ask of the compute room."""

from __future__ import annotations

from .engines import ask_cluster
from .events import JOB_FINISHED
from .example import load_example
from .finding import find_jobs
from .fleet import public_storage, public_summary, unknown_jobs
from .logs import read_log
from .metering import CAUSE_TEXTS, Cause, Line
from .metering_reports import FreeUse, MeteredView, MonthUse, free_use, metered_runs, month_use
from .origins import register_origin
from .ports import Drift, Limits
from .queries import artefacts, clusters, job, job_views, jobs, standing
from .services import (
    Ingested,
    PastJob,
    Pulled,
    Reconciled,
    ask_to_look,
    cancel_job,
    cancel_sweep,
    close_month,
    define_cluster,
    drift,
    estimate,
    follow_once,
    import_jobs,
    ingest,
    month_days,
    provision,
    pull,
    reconcile,
    refund,
    submit_job,
    submit_jobs,
    submit_sweep,
    write_off_job,
)
from .states import MACHINE as JOB
from .states import JobState
from .sweep_queries import sweep, sweep_exists, sweep_jobs, sweeps
from .sweeps import Points, grid
from .types import (
    ArtefactView,
    ClusterView,
    JobRequest,
    JobView,
    LogChunk,
    NewJob,
    NotEnoughLeft,
    Origin,
    Standing,
    SweepJob,
    SweepView,
)
from .use import JobUse, job_use

__all__ = [
    "CAUSE_TEXTS",
    "JOB",
    "JOB_FINISHED",
    "ArtefactView",
    "Cause",
    "ClusterView",
    "Drift",
    "FreeUse",
    "Ingested",
    "JobRequest",
    "JobState",
    "JobUse",
    "JobView",
    "Limits",
    "Line",
    "LogChunk",
    "MeteredView",
    "MonthUse",
    "NewJob",
    "NotEnoughLeft",
    "Origin",
    "PastJob",
    "Points",
    "Pulled",
    "Reconciled",
    "Standing",
    "SweepJob",
    "SweepView",
    "artefacts",
    "ask_cluster",
    "ask_to_look",
    "cancel_job",
    "cancel_sweep",
    "close_month",
    "clusters",
    "define_cluster",
    "drift",
    "estimate",
    "find_jobs",
    "follow_once",
    "free_use",
    "grid",
    "import_jobs",
    "ingest",
    "job",
    "job_use",
    "job_views",
    "jobs",
    "load_example",
    "metered_runs",
    "month_days",
    "month_use",
    "provision",
    "public_storage",
    "public_summary",
    "pull",
    "read_log",
    "reconcile",
    "refund",
    "register_origin",
    "standing",
    "submit_job",
    "submit_jobs",
    "submit_sweep",
    "sweep",
    "sweep_exists",
    "sweep_jobs",
    "sweeps",
    "unknown_jobs",
    "write_off_job",
]
