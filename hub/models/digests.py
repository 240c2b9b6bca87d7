"""Digests: which day's summary of alerts went to whom. One row is one slot: nobody gets the same day twice."""

from django.db import models


class Digest(models.Model):
    """One recipient's summary of one day. It is taken before it is sent: what may have gone out is not sent again."""

    recipient = models.EmailField(max_length=254)
    day = models.DateField()  # of the server's time zone
    since = models.DateTimeField(null=True)  # what the last one ended with; none for the first
    until = models.DateTimeField()
    taken_at = models.DateTimeField(null=True)  # some worker has it in hand, or had
    told_at = models.DateTimeField(null=True)  # the mail server took it
    open = models.PositiveIntegerField(default=0)
    began = models.PositiveIntegerField(default=0)
    ended = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("-day", "recipient")
        constraints = (models.UniqueConstraint(fields=["recipient", "day"], name="digest_is_one_a_day"),)

    def __str__(self) -> str:
        return f"{self.recipient} {self.day}"
