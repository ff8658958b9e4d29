"""What other rooms may ask of the compute room."""

from __future__ import annotations

from .events import JOB_FINISHED
from .example import load_example
from .finding import find_jobs
from .fleet import public_storage, public_summary, unknown_jobs
from .logs import read_log
from .origins import register_origin
from .ports import Drift, Limits
from .queries import artefacts, clusters, job, job_views, jobs, standing
from .services import (
    PastJob,
    cancel_job,
    define_cluster,
    drift,
    estimate,
    follow_once,
    import_jobs,
    provision,
    submit_job,
    write_off_job,
)
from .states import MACHINE as JOB
from .states import JobState
from .types import ArtefactView, ClusterView, JobRequest, JobView, LogChunk, NotEnoughLeft, Origin, Standing

__all__ = [
    "JOB",
    "JOB_FINISHED",
    "ArtefactView",
    "ClusterView",
    "Drift",
    "JobRequest",
    "JobState",
    "JobView",
    "Limits",
    "LogChunk",
    "NotEnoughLeft",
    "Origin",
    "PastJob",
    "Standing",
    "artefacts",
    "cancel_job",
    "clusters",
    "define_cluster",
    "drift",
    "estimate",
    "find_jobs",
    "follow_once",
    "import_jobs",
    "job",
    "job_views",
    "jobs",
    "load_example",
    "provision",
    "public_storage",
    "public_summary",
    "read_log",
    "register_origin",
    "standing",
    "submit_job",
    "unknown_jobs",
    "write_off_job",
]
