"""Addresses of the resources room."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "resources"
urlpatterns = [path("projects/<uuid:project_id>/statement/", views.statement, name="statement")]
