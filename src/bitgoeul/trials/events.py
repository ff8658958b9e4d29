"""News of the trials room.

``trial.queue``, ``trial.start``, ``trial.measure``, ``trial.judge``, ``trial.sign``, ``trial.stop``: a move of a
trial, ``{"id", "from", "to", "version"}``.
``evidence.issued`` ``{"digest", "trial_id", "subject_version_id", "verdict", "visibility"}`` and
``evidence.invalidated``: see the evidence part.
"""

from __future__ import annotations

# What this room listens to (wired in site): every terminal state of a job.
JOB_FINISHED = "job.finished"
JOB_ORIGIN = "trial"
