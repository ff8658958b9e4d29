"""Addresses of the evidence pages, included by this room's urls."""

from __future__ import annotations

from django.urls import path, re_path

from . import evidence_views as views

DIGEST = r"(?P<digest>[^/]{1,200})"

urlpatterns = [
    path("verify/", views.verify, name="verify"),
    # Any text, so that a malformed digest is answered like an unknown one.
    re_path(rf"^verify/{DIGEST}/$", views.verify_result, name="verify_result"),
    re_path(rf"^verify/{DIGEST}/evidence\.json$", views.evidence_file, name="evidence_file"),
    re_path(rf"^verify/{DIGEST}/verifier\.html$", views.verifier_file, name="verifier_file"),
    re_path(rf"^evidence/{DIGEST}/$", views.evidence, name="evidence"),
    path("keys/centre.pub", views.centre_key, name="centre_key"),
]
