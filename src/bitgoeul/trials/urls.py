"""The addresses of the trials room."""

from __future__ import annotations

from django.urls import path

from . import evidence_urls, published_urls, views

app_name = "trials"

urlpatterns = [
    path("projects/<uuid:project_id>/subjects/new/", views.subject_new, name="subject_new"),
    path("projects/<uuid:project_id>/trials/new/", views.trial_new, name="trial_new"),
    path("subjects/<uuid:id>/", views.subject, name="subject"),
    path("subjects/<uuid:id>/versions/new/", views.version_new, name="version_new"),
    path("trials/<uuid:id>/", views.trial, name="trial"),
    path("trials/<uuid:id>/status/", views.trial_status, name="trial_status"),
    path("trials/<uuid:id>/stop/", views.trial_stop, name="trial_stop"),
    path("trials/<uuid:id>/judge/", views.trial_judge, name="trial_judge"),
    path("trials/<uuid:id>/record.json", views.trial_record, name="trial_record"),
    path("trials/<uuid:id>/logs.tar", views.trial_logs, name="trial_logs"),
    *evidence_urls.urlpatterns,
    *published_urls.urlpatterns,
]
