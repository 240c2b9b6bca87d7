"""Who may see which facility, and the keys of machines."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models


class FacilityGrant(models.Model):
    """This user sees this facility's rows; "*" stands for all of them. No grant, no rows."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="facility_grants")
    facility = models.CharField(max_length=20)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["user", "facility"], name="facility_grant_is_one"),)

    def __str__(self) -> str:
        return f"{self.user}: {self.facility}"


class ApiKey(models.Model):
    """A machine's key. Only its SHA-512 is kept; it acts as its service account, narrowed by its scopes."""

    prefix = models.CharField(max_length=12, unique=True)
    digest = models.BinaryField(max_length=64)
    name = models.CharField(max_length=120)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_keys")
    scopes = ArrayField(models.CharField(max_length=60), help_text='Verbs or prefixes: "charges.read", "in.carebill"')
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return self.name
