"""Index of the words of prescribers' names, built beside running hand-overs."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.contrib.postgres.search import SearchVector
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("dispensary", "0054_indexes_built_concurrently")]

    operations = [
        AddIndexConcurrently(
            "prescriber",
            GinIndex(SearchVector("search_text", config="simple"), name="prescriber_by_words"),
        ),
    ]
