"""The addresses of the programmes room."""

from __future__ import annotations

from django.urls import path

from .views import agreements, applications, calls, partners, start, workbooks

app_name = "programmes"

urlpatterns = [
    path("start/", start.start, name="start"),
    path("start/all/", start.all_questions, name="questions"),
    path("start/again/", start.again, name="again"),
    path("start/<int:number>/", start.question, name="question"),
    path("plan/", start.show_plan, name="plan"),
    path("calls/", calls.calls, name="calls"),
    path("calls/<slug:code>/", calls.call, name="call"),
    path("calls/<slug:code>/apply/", applications.apply, name="apply"),
    path("partners/", partners.partners, name="partners"),
    path("partners.xlsx", partners.partners_xlsx, name="partners_xlsx"),
    path("applications/", applications.applications, name="applications"),
    path("applications.xlsx", workbooks.applications, name="applications_xlsx"),
    path("applications/<uuid:id>/", applications.application, name="application"),
    path("applications/<uuid:id>/withdraw/", applications.withdraw, name="withdraw"),
    path("agreements/", agreements.agreements, name="agreements"),
    path("agreements.xlsx", workbooks.waiting, name="waiting_xlsx"),
    path("agreements/<uuid:id>/", agreements.agreement, name="agreement"),
    path("agreements/<uuid:id>/sign/", agreements.sign, name="sign"),
    path("agreements/<uuid:id>/text/", agreements.text, name="agreement_text"),
]
