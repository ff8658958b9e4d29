"""Addresses of the compute room."""

from __future__ import annotations

from django.urls import path

from . import fleet_views, views

app_name = "compute"
urlpatterns = [
    path("fleet/", fleet_views.fleet_page, name="fleet"),
    path("fleet/nodes/", fleet_views.nodes_page, name="nodes"),
    path("fleet/nodes.xlsx", fleet_views.nodes_xlsx, name="nodes_xlsx"),
    path("fleet/accounts/", fleet_views.accounts_page, name="accounts"),
    path("fleet/reconciliation/", fleet_views.reconciliation_page, name="reconciliation"),
    path("projects/<uuid:project_id>/jobs/", views.job_list, name="jobs"),
    path("projects/<uuid:project_id>/jobs/new/", views.job_new, name="job_new"),
    path("projects/<uuid:project_id>/jobs/price/", views.job_price, name="job_price"),
    path("jobs/<uuid:job_id>/", views.job, name="job"),
    path("jobs/<uuid:job_id>/state/", views.job_state, name="job_state"),
    path("jobs/<uuid:job_id>/use/", views.job_use, name="job_use"),
    path("jobs/<uuid:job_id>/log/", views.job_log, name="job_log"),
    path("jobs/<uuid:job_id>/cancel/", views.job_cancel, name="job_cancel"),
    path("jobs/<uuid:job_id>/write-off/", views.job_write_off, name="job_write_off"),
    path("jobs/<uuid:job_id>/files/<slug:role>/<str:name>", views.job_file, name="job_file"),
]
