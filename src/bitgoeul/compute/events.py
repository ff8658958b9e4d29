"""News from the compute room.

``job.finished`` — a job is in a terminal state, settled, its files kept. Key: the job's id, so it comes once.
Payload: ``id`` the job, ``project_id``, ``state`` one of SUCCEEDED, FAILED, TIMED_OUT, CANCELLED, REFUSED,
``origin`` ``{"kind", "id"}`` or null.

Every move also gives ``job.<action>`` (see the state table), payload ``id``, ``from``, ``to``, ``version``.
"""

from __future__ import annotations

JOB_FINISHED = "job.finished"
