"""Addresses of the pages of published results, included by this room's urls."""

from __future__ import annotations

from django.urls import path

from . import published_views as views

urlpatterns = [
    path("published/", views.published_list, name="published"),
    path("published.xlsx", views.published_xlsx, name="published_xlsx"),
    path("published/compare/", views.published_compare, name="published_compare"),
    path("published/<uuid:id>/", views.published_result, name="published_result"),
]
