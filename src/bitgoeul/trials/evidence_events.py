"""What the trials room announces about evidence.

Every payload carries ``digest`` (SHA-256 of the evidence file), ``trial_id``, ``subject_version_id``,
``verdict`` and ``visibility``.
"""

from __future__ import annotations

ISSUED = "evidence.issued"  # signed and entered in the log; key: the digest
VISIBILITY = "evidence.visibility"  # who may see it has changed; key: digest and version of the change
INVALIDATED = "evidence.invalidated"  # must no longer be relied on; key: the digest
