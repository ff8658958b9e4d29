"""What `doctor` says of one thing: whether it is in order, why that matters, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass

WHY = {
    "home": "Nothing can be kept where nothing can be written.",
    "disk": "A full disk stops uploads, jobs and the database.",
    "assets": "Pages stand without their form and their scripts.",
    "static files": "In production pages get only what was collected; without it they stand bare.",
    "catalogues": "Korean pages show English.",
    "keys": "Whoever reads a private key can sign evidence as this centre.",
    "database": "Nothing works without it.",
    "migrations": "Code and database do not understand each other; nothing starts.",
    "append-only triggers": "Events, postings and evidence could be changed without a trace.",
    "integrity": "What was committed may be lost or misread.",
    "database role": "The portal itself could switch off what protects the record.",
    "outbox": "Mail and effects between rooms do not arrive: trials stay unjudged, figures stand still.",
    "sealing": "Events without a chain position can still be removed unnoticed.",
    "heads": "The chain lost or changed what was once signed: somebody altered it, or put an old copy back.",
    "holds": "What a company has left stays blocked.",
    "lost jobs": "A job that nobody finds holds its allocation and is never charged.",
    "clock": "Times on the record, embargoes and second factors are wrong.",
    "example people": "Anybody could use accounts whose names are public.",
    "port": "The portal cannot start.",
    "mail": "Nobody can confirm an address or reset a password.",
    "isolation": "Jobs of different companies could see each other.",
    "processes": "Jobs are not followed, news is not delivered.",
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at; ``remedy`` says what to do when it is not in order."""

    check: str
    ok: bool
    text: str
    remedy: str = ""

    @property
    def why(self) -> str:
        """Why it matters."""
        return WHY.get(self.check, "")

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {"check": self.check, "ok": self.ok, "text": self.text, "why": self.why, "remedy": self.remedy}
