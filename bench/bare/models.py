from django.db import models


class Organisation(models.Model):  # noqa: DJ008
    name = models.CharField(max_length=120)


class Project(models.Model):  # noqa: DJ008
    number = models.CharField(max_length=20)
    title = models.CharField(max_length=160)
    state = models.CharField(max_length=16, db_index=True)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
