"""The addresses of the outcomes room."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "outcomes"

urlpatterns = [
    path("figures/", views.figures, name="figures"),
    path("figures.xlsx", views.figures_xlsx, name="figures_xlsx"),
    path("figures/<slug:code>/", views.figure, name="figure"),
]
