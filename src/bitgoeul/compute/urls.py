"""Addresses of the compute room."""

from __future__ import annotations

from django.urls import path

from . import fleet_views, new_views, sweep_views, views

app_name = "compute"
urlpatterns = [
    path("fleet/", fleet_views.fleet_page, name="fleet"),
    path("fleet/nodes/", fleet_views.nodes_page, name="nodes"),
    path("fleet/nodes.xlsx", fleet_views.nodes_xlsx, name="nodes_xlsx"),
    path("fleet/accounts/", fleet_views.accounts_page, name="accounts"),
    path("fleet/reconciliation/", fleet_views.reconciliation_page, name="reconciliation"),
    path("projects/<uuid:project_id>/jobs/", views.job_list, name="jobs"),
    path("projects/<uuid:project_id>/jobs/new/", new_views.job_new, name="job_new"),
    path("projects/<uuid:project_id>/jobs/price/", new_views.job_price, name="job_price"),
    path("projects/<uuid:project_id>/sweeps/", sweep_views.sweep_list, name="sweeps"),
    path("projects/<uuid:project_id>/sweeps/new/", new_views.sweep_new, name="sweep_new"),
    path("projects/<uuid:project_id>/sweeps/price/", new_views.sweep_price, name="sweep_price"),
    path("sweeps/<uuid:sweep_id>/", sweep_views.sweep_page, name="sweep"),
    path("sweeps/<uuid:sweep_id>/state/", sweep_views.sweep_state, name="sweep_state"),
    path("sweeps/<uuid:sweep_id>/cancel/", sweep_views.sweep_cancel, name="sweep_cancel"),
    path("sweeps/<uuid:sweep_id>/jobs.xlsx", sweep_views.sweep_xlsx, name="sweep_xlsx"),
    path("jobs/<uuid:job_id>/", views.job, name="job"),
    path("jobs/<uuid:job_id>/state/", views.job_state, name="job_state"),
    path("jobs/<uuid:job_id>/use/", views.job_use, name="job_use"),
    path("jobs/<uuid:job_id>/log/", views.job_log, name="job_log"),
    path("jobs/<uuid:job_id>/cancel/", views.job_cancel, name="job_cancel"),
    path("jobs/<uuid:job_id>/write-off/", views.job_write_off, name="job_write_off"),
    path("jobs/<uuid:job_id>/files/<slug:role>/<str:name>", views.job_file, name="job_file"),
]
