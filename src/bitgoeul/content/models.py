"""One row a stored content."""

from __future__ import annotations

from django.db import models

from bitgoeul.kernel.clock import now


class Blob(models.Model):
    """A content by its digest; the bytes stand in the storage, two directory levels deep.

    ``retain_until`` forbids removal before that time (None: nobody asked).
    """

    digest = models.CharField(max_length=64, primary_key=True)
    size = models.BigIntegerField()
    media_type = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=now)
    retain_until = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(size__gte=0), name="content_blob_size"),)

    def __str__(self) -> str:
        return f"{self.digest[:12]} ({self.size} bytes)"
