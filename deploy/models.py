"""The table of Django's database cache, as a model so that `migrate` makes it, people's PINs, and when a manager signed them out."""

from django.conf import settings
from django.db import models


class CacheEntry(models.Model):
    """One cached value; written and read by `django.core.cache.backends.db`, whose columns these are."""

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name_plural = "cache entries"

    def __str__(self) -> str:
        return self.cache_key


class Pin(models.Model):
    """The PIN with which a person takes a counter over where they signed in on that day. It signs nothing."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+")
    digest = models.CharField(max_length=128, help_text="a password's digest of the keyed digest of the PIN")
    set_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0, help_text="wrong ones since the last full sign-in")

    def __str__(self) -> str:
        return f"PIN of {self.user_id}"


class SignOut(models.Model):
    """The last time that a manager signed a person out somewhere. Full sign-ins from before count no longer for their PIN."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"sign-out of {self.user_id}"
