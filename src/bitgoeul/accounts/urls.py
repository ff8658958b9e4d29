"""Addresses of the accounts room."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "accounts"
urlpatterns = [
    path("example/sign-in/", views.example_sign_in, name="example_sign_in"),
    path("mail/", views.mails, name="mails"),
    path("mail/<slug:key>/", views.mail_one, name="mail"),
    path("organisations/new/", views.organisation_new, name="organisation_new"),
    path("projects/<uuid:project_id>/members/", views.members, name="members"),
    path("projects/<uuid:project_id>/members/<uuid:user_id>/remove/", views.member_remove, name="member_remove"),
]
