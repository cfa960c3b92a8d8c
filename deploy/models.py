"""The table of Django's database cache, as a model so that `migrate` makes it."""

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
