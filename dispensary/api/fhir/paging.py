"""Pages of a search by key: the cost does not grow with the page, and no row is left out where many have one time."""

from __future__ import annotations

import base64
from operator import attrgetter
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from dispensary.errors import InvalidInput, Problem


def read_page(rows: QuerySet[Any], sort: str, count: int, cursor: str) -> tuple[list[Any], str]:
    """Return at most `count` rows after a cursor, and the cursor of the next page: empty after the last.

    `sort` is the lookup of a column that every row has, with a minus for the highest first. Raises `InvalidInput` for a cursor
    that none of these pages ended with.
    """
    lookup, sign = sort.removeprefix("-"), "-" if sort.startswith("-") else ""
    beyond = "lt" if sign else "gt"
    if cursor:
        try:
            value, _, key = base64.urlsafe_b64decode(cursor).decode().rpartition(" ")
            is_after = Q(**{f"{lookup}__{beyond}": value}) | Q(**{lookup: value, f"pk__{beyond}": key})
            # The first condition says nothing more; it lets an index begin at the value.
            rows = rows.filter(Q(**{f"{lookup}__{beyond}e": value}), is_after)
        except (ValueError, ValidationError) as error:
            problem = Problem("_cursor", "another value", "the link `next` of a page, as it is")
            raise InvalidInput("This search cannot be answered.", problem) from error
    page = list(rows.order_by(sort, f"{sign}pk")[: count + 1])
    if len(page) <= count:
        return page, ""
    last = page[count - 1]
    place = f"{attrgetter(lookup.replace('__', '.'))(last)} {last.pk}"
    return page[:count], base64.urlsafe_b64encode(place.encode()).decode()
