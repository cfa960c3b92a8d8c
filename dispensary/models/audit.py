"""Read-only models of the audit log (schema `audit`). Nothing here is managed by Django: the tables are plain SQL in
`dispensary/audit/log/sql/`, written through one database function, and refuse every change.
"""

from __future__ import annotations

from typing import Any, NoReturn

from django.contrib.postgres.fields import ArrayField
from django.db import models

from dispensary.errors import NotAllowed


class ReadOnlyQuerySet(models.QuerySet[Any]):
    """A queryset that only reads. The database refuses writes as well; this refuses before a statement is sent."""

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise NotAllowed("The audit log is append-only; write with dispensary.audit.record().")

    create = bulk_create = update = bulk_update = delete = get_or_create = update_or_create = _refuse


class Window(models.Model):
    """A table or view of schema `audit`, read-only."""

    objects = ReadOnlyQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise `NotAllowed`: entries are made by dispensary.audit.record()."""
        raise NotAllowed("The audit log is append-only; write with dispensary.audit.record().")

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise `NotAllowed`: what was recorded stays."""
        raise NotAllowed("The audit log is append-only; nothing in it is deleted.")


class AuditLog(Window):
    """The log of a pharmacy, in one incarnation. `origin` is its public name, on every checkpoint."""

    log_id = models.UUIDField(primary_key=True)
    origin = models.TextField()
    pharmacy = models.UUIDField()
    lane = models.SmallIntegerField()
    incarnation = models.IntegerField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    predecessor_note = models.TextField(null=True)
    genesis = models.BinaryField()
    format = models.SmallIntegerField()

    class Meta:
        managed = False
        db_table = '"audit"."log"'

    def __str__(self) -> str:
        return self.origin


class AuditEntry(Window):
    """An entry of a log: the columns that are hashed, with its number `seq` and its `leaf`.

    `seq` and `leaf` are unknown inside the transaction that writes the entry; the link is made at its commit.
    """

    entry_id = models.UUIDField(primary_key=True)
    log_id = models.UUIDField()
    pharmacy = models.UUIDField()
    origin = models.TextField()
    seq = models.BigIntegerField(null=True)
    leaf = models.BinaryField(null=True)
    recorded_at = models.DateTimeField()
    occurred_at = models.DateTimeField()
    txid = models.BigIntegerField()
    db_role = models.TextField()
    actor = models.TextField()
    actor_role = models.TextField()
    second_actor = models.TextField(null=True)
    station = models.TextField(null=True)
    request_id = models.TextField(null=True)
    action = models.TextField()
    outcome = models.TextField()
    reason_code = models.TextField(null=True)
    subject_type = models.TextField()
    subject_id = models.TextField()
    patient_ref = models.TextField(null=True)
    drug_code = models.TextField(null=True)
    rule_codes = ArrayField(models.TextField(), null=True)
    ruleset = models.BinaryField(null=True)
    engine = models.TextField(null=True)
    corrects_seq = models.BigIntegerField(null=True)
    body_commit = models.BinaryField()
    body_kind = models.SmallIntegerField()
    v = models.SmallIntegerField()

    class Meta:
        managed = False
        db_table = '"audit"."line"'

    def __str__(self) -> str:
        return f"{self.action} {self.entry_id}"


class AuditBody(Window):
    """The body of an entry: canonical JSON text and its salt. Readable only inside `audit.reading(pharmacy)`."""

    entry_id = models.UUIDField(primary_key=True)
    recorded_at = models.DateTimeField()
    salt = models.BinaryField()
    body = models.TextField()
    pharmacy = models.UUIDField()

    class Meta:
        managed = False
        db_table = '"audit"."readable_body"'

    def __str__(self) -> str:
        return str(self.entry_id)


class AuditCheckpoint(Window):
    """A signed statement of a log's size and root, as a C2SP note; one for each size of a log."""

    pk = models.CompositePrimaryKey("log_id", "size")
    log_id = models.UUIDField()
    size = models.BigIntegerField()
    root = models.BinaryField()
    note = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = '"audit"."checkpoint"'

    def __str__(self) -> str:
        return f"{self.log_id} at {self.size}"
