"""Addresses of the resources room."""

from __future__ import annotations

from django.urls import path

from . import price_views, views

app_name = "resources"
urlpatterns = [
    path("projects/<uuid:project_id>/statement/", views.statement, name="statement"),
    path("prices/", price_views.price_page, name="prices"),
    path("prices.xlsx", price_views.price_xlsx, name="prices_xlsx"),
]
