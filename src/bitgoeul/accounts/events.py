"""News of the accounts room.

``mail.written`` ``{"message_id", "subject", "body", "from", "to"}``: a mail to send; key: its Message-ID.
"""

from __future__ import annotations

MAIL_WRITTEN = "mail.written"
