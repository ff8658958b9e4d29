"""What engines tell of a machine and what clusters offer, in the reader's words."""

from __future__ import annotations

from django.utils.translation import gettext

from bitgoeul.kernel.text import N_

PLAIN_WORDS = {
    "engine": N_("Engine"),
    "isolation": N_("Kept apart by"),
    "kernel": N_("Kernel"),
    "machine": N_("Architecture"),
    "processor": N_("Processor model"),
    "processors": N_("Processors of the machine"),
    "software-target": N_("Software target"),
}


def plain_word(name: str) -> str:
    """The word for a name that an engine or a cluster uses; an unknown one stands as it is."""
    return gettext(PLAIN_WORDS[name]) if name in PLAIN_WORDS else name
