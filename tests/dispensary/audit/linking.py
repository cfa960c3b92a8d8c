"""For tests that run inside one transaction and never commit."""

from django.db import DEFAULT_DB_ALIAS, connections


def flush_links(*, using: str = DEFAULT_DB_ALIAS) -> None:
    """Link now what would be linked at commit, so that numbers and leaves can be read in the same transaction."""
    with connections[using].cursor() as cursor:
        cursor.execute("SET CONSTRAINTS audit.link_entry IMMEDIATE")
        cursor.execute("SET CONSTRAINTS audit.link_entry DEFERRED")
