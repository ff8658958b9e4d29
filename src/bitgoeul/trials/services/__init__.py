"""Every write of the trials room about subjects, protocols and trials."""

from __future__ import annotations

from .judging import job_finished, job_started, judge_again
from .protocols import load_example, register_protocols
from .requests import estimate, request_trial, stop_trial
from .subjects import SUBJECT_BYTES_MAX, add_version, bring_in, check_size, create_subject

__all__ = [
    "SUBJECT_BYTES_MAX",
    "add_version",
    "bring_in",
    "check_size",
    "create_subject",
    "estimate",
    "job_finished",
    "job_started",
    "judge_again",
    "load_example",
    "register_protocols",
    "request_trial",
    "stop_trial",
]
