"""A site's own label in place of ours."""

from pathlib import Path
from typing import Any

import pytest

from dispensary.checks import site_extensions
from dispensary.documents import label_pdf
from dispensary.documents.typesetting import FOLDER
from tests.dispensary.documents.samples import steady
from tests.dispensary.documents.test_label import words_of


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.DISPENSARY = {**settings.DISPENSARY, "document_folder": tmp_path}
    return tmp_path


def test_a_label_of_the_site_is_set_in_place_of_ours(folder: Path) -> None:
    (before,) = words_of(label_pdf(steady()))
    (folder / "tablets.typ").write_text((FOLDER / "tablets.typ").read_text())
    label = (FOLDER / "label.typ").read_text()
    (folder / "label.typ").write_text(label.replace("#one.words.phone", "Ring us on"))
    assert "Ring us on" not in before
    (after,) = words_of(label_pdf(steady()))
    assert "Ring us on" in after
    assert site_extensions() == []


def test_a_folder_that_replaces_nothing_is_an_error(folder: Path) -> None:
    (folder / "etikett.typ").write_text("")
    (error,) = site_extensions()
    assert (error.id, "label.typ" in error.msg) == ("dispensary.E013", True)
    assert label_pdf(steady())
