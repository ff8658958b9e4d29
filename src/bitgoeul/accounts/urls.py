"""Addresses of the accounts room."""

from __future__ import annotations

from django.urls import path

from . import operator_views, own_views, security_views, views

app_name = "accounts"
urlpatterns = [
    path("example/sign-in/", views.example_sign_in, name="example_sign_in"),
    path("mail/", views.mails, name="mails"),
    path("mail/<slug:key>/", views.mail_one, name="mail"),
    path("account/", own_views.account, name="account"),
    path("account/tokens/", own_views.token_new, name="token_new"),
    path("account/tokens/<uuid:token_id>/end/", own_views.token_end, name="token_end"),
    path("account/elevation/", security_views.elevate, name="elevate"),
    path("account/elevation/<uuid:elevation_id>/end/", security_views.elevation_end, name="elevation_end"),
    path("account/sign-ins/<uuid:sign_in_id>/end/", security_views.sign_in_end, name="sign_in_end"),
    path("account/sign-ins/end/", security_views.sign_ins_end, name="sign_ins_end"),
    path("operators/", operator_views.people, name="operators"),
    path("operators/person/", operator_views.person, name="operator_person"),
    path("operators/elevations/", operator_views.elevations, name="elevations"),
    path("operators/<uuid:user_id>/<str:role>/revoke/", operator_views.revoke, name="operator_revoke"),
    path("operators/<uuid:user_id>/end-access/", operator_views.end_access, name="end_access"),
    path("organisations/<uuid:organisation_id>/", own_views.organisation, name="organisation"),
    path(
        "organisations/<uuid:organisation_id>/members/<uuid:user_id>/remove/",
        own_views.organisation_member_remove,
        name="organisation_member_remove",
    ),
    path("organisations/new/", views.organisation_new, name="organisation_new"),
    path("projects/<uuid:project_id>/members/", views.members, name="members"),
    path("projects/<uuid:project_id>/members/<uuid:user_id>/owner/", own_views.hand_over, name="hand_over"),
    path("projects/<uuid:project_id>/members/<uuid:user_id>/remove/", views.member_remove, name="member_remove"),
]
