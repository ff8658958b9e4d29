"""The words of the browser's verifier, in one language at a time, and the one-file verifier."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils.translation import gettext, override

from bitgoeul.kernel.canonical import loads_strict
from bitgoeul.kernel.signing import Envelope, PublicKey, public_key
from bitgoeul.kernel.text import N_

from .verify import CHECKS

LANGUAGES = ("ko", "en")
SCRIPTS = ("trials/verify.js", "trials/verify-page.js")
STYLE = "trials/verify.css"

WORDS: Mapping[str, str] = {
    "title": N_("Is this evidence genuine?"),
    "checking": N_("Checking in this browser…"),
    "valid": N_("Genuine: all {count} checks passed in this browser."),
    "valid_more": N_(
        "The signature is the key's, every byte is as it was signed, and the record is the one that was judged."
    ),
    "refused": N_("Refused at “{check}”."),
    "cannot": N_("This browser cannot check. That says nothing about the evidence."),
    "no_crypto": N_(
        "Browsers offer their cryptography only to pages over HTTPS or from this very machine. Open the page over "
        "HTTPS, or download the one-file verifier, or use the command line."
    ),
    "no_ed25519": N_(
        "This browser does not know Ed25519 signatures. Use a current Firefox, Safari or Chromium, or the command "
        "line."
    ),
    "no_ecdsa": N_("This browser does not know ECDSA signatures. Use a current browser, or the command line."),
    "error": N_(
        "The check did not run to its end in this browser ({detail}). Use another one, or the command line."
    ),
    "no_file": N_("The evidence file could not be fetched. Try again."),
    "no_key": N_("No usable public key: choose a file such as centre.pub."),
    "choose": N_("Choose an evidence file to begin."),
    "flipped": N_("Byte {place} of {size} was changed from {before} to {after}, in this browser only."),
    "restored": N_("The file is as it was."),
    "own_file": N_("File: {name}, {size} bytes"),
    "own_key": N_("Key: {name}"),
    "fingerprint": N_("Fingerprint of the key (SHA-256)"),
    "digest": N_("Digest of the file (SHA-256)"),
    "checks": N_("The checks, in their order"),
    "not_run": N_("check not run"),
    "held": N_("check passed"),
    "failed": N_("check failed"),
    "flip": N_("Flip one byte"),
    "restore": N_("Restore the file"),
    "choose_file": N_("Evidence file"),
    "choose_key": N_("Public key (PEM)"),
    "what": N_("What was signed"),
    "verdict": N_("Verdict"),
    "subject": N_("Subject"),
    "protocol": N_("Protocol"),
    "attempt": N_("Attempt"),
    "measured": N_("Measured from – to"),
    "issued": N_("Signed at"),
    "centre": N_("Centre"),
    "log": N_("Position in the log"),
    "notes": N_("Notes"),
    "PASSED": N_("Passed"),
    "WARNED": N_("Passed with a warning"),
    "FAILED": N_("Failed"),
    "INVALID": N_("Invalid"),
    "compare": N_(
        "Compare this fingerprint with the one the centre gave you another way: by letter, by telephone, on its "
        "own page. The key inside this file proves nothing by itself."
    ),
    "offline": N_("This file works without a network and sends nothing anywhere."),
    "no_script": N_(
        "This page checks with a script; the script did not run. That says nothing about the evidence."
    ),
}


def words() -> dict[str, str]:
    """The verifier's sentences in the active language by key; checks as ``holds.<name>`` and ``fails.<name>``."""
    sentences = {name: gettext(message) for name, message in WORDS.items()}
    for check in CHECKS:
        sentences[f"holds.{check.name}"] = gettext(check.holds.msgid)
        sentences[f"fails.{check.name}"] = gettext(check.fails.msgid)
    return sentences


def script_words(languages: Sequence[str], messages: Collection[str] = ()) -> dict[str, dict[str, object]]:
    """The sentences by language for the script; ``messages`` are the message ids of a verdict's reasons."""
    result: dict[str, dict[str, object]] = {}
    for language in languages:
        with override(language):
            result[language] = {**words(), "messages": {one: gettext(one) for one in messages if one}}
    return result


def messages_of(statement: Mapping[str, Any]) -> list[str]:
    """The message ids of the reasons in a statement."""
    return [str(reason["text"]["msgid"]) for reason in statement["predicate"]["verdict"]["reasons"]]


def centre_public_key() -> PublicKey:
    """The centre's public key, as it lies in ``var/keys/centre.pub``."""
    return public_key((Path(settings.KEYS) / "centre.pub").read_bytes())


def one_file_verifier(data: bytes, digest: str, key: PublicKey) -> bytes:
    """A self-contained HTML file with the evidence, the key and the same scripts as the page; works offline."""
    statement = loads_strict(Envelope.from_json(loads_strict(data)["envelope"]).payload)
    sources = [_source(name) for name in SCRIPTS]
    html = render_to_string(
        "trials/verifier_file.html",
        {
            "scripts": sources,
            "style": _source(STYLE),
            "digest": digest,
            "keyid": key.keyid,
            "embedded": {
                "evidence": base64.b64encode(data).decode("ascii"),
                "key": key.pem,
                "name": f"{digest}.json",
            },
            "words": script_words(LANGUAGES, messages_of(statement)),
        },
    )
    return html.encode("utf-8")


def _source(name: str) -> str:
    """A static file's text, fit to stand inside an HTML element."""
    found = finders.find(name)
    if not isinstance(found, str):
        raise FileNotFoundError(name)
    text = Path(found).read_text(encoding="utf-8")
    # Inside <script> and <style> nothing is escaped: these would end the element.
    if "</" in text or "<!--" in text:
        raise ValueError(f"{name} cannot stand inside a page")
    return text
