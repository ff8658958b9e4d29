"""Addresses of the accounts room."""

from __future__ import annotations

from django.urls import path

from . import own_views, views

app_name = "accounts"
urlpatterns = [
    path("example/sign-in/", views.example_sign_in, name="example_sign_in"),
    path("mail/", views.mails, name="mails"),
    path("mail/<slug:key>/", views.mail_one, name="mail"),
    path("account/", own_views.account, name="account"),
    path("account/tokens/", own_views.token_new, name="token_new"),
    path("account/tokens/<uuid:token_id>/end/", own_views.token_end, name="token_end"),
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
