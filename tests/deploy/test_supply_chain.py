"""The bill of materials names what is installed and built in; and no answer of an advisory source is never taken for a good one."""

import json
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from deploy.advisories import read_npm_audit, read_pip_audit
from deploy.environment import ROOT

LOCKED = re.compile(r"^([\w.-]+)(?:\[.*?\])?==(\S+)", re.MULTILINE)


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The bill beside a file that stands for a wheel, written by the command."""
    wheel = tmp_path_factory.mktemp("dist") / "django_dispensary-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    subprocess.run([sys.executable, "-m", "deploy.materials", str(wheel)], cwd=ROOT, check=True, capture_output=True)
    return json.loads((wheel.parent / "django_dispensary-0.1.0-py3-none-any.cdx.json").read_text())


def test_the_bill_is_about_this_wheel(bill: dict) -> None:
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"])
    about = bill["metadata"]["component"]
    assert (about["purl"], about["hashes"]) == (
        "pkg:pypi/django-dispensary@0.1.0",
        [{"alg": "SHA-256", "content": sha256(b"a wheel").hexdigest()}],
    )


def test_the_bill_names_every_locked_package_once_with_its_hashes(bill: dict) -> None:
    named = {(part["name"], part["version"]) for part in bill["components"] if part["purl"].startswith("pkg:pypi/")}
    assert named == set(LOCKED.findall((ROOT / "deploy/requirements/run.txt").read_text()))
    assert all(part["externalReferences"][0]["hashes"] for part in bill["components"])
    references = [part["bom-ref"] for part in bill["components"]]
    assert len(references) == len(set(references))


def test_the_bill_names_what_the_pages_are_built_from_and_no_tools_of_tests(bill: dict) -> None:
    purls = {part["purl"].rpartition("@")[0] for part in bill["components"]}
    assert {"pkg:npm/nhsuk-frontend", "pkg:npm/%40fontsource/atkinson-hyperlegible"} <= {
        purl.replace("npm/@", "npm/%40") for purl in purls
    }
    assert "pkg:npm/axe-core" not in purls


PIP = {"dependencies": [{"name": "django", "version": "5.2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["5.2.9"]}]}]}


def test_a_known_weakness_is_named_with_what_mends_it() -> None:
    assert read_pip_audit("run.txt", json.dumps(PIP), "").weaknesses == ("django 5.2: PYSEC-1, mended in 5.2.9",)
    npm = {"vulnerabilities": {"sass": {"name": "sass", "range": "<2", "severity": "high"}}}
    assert read_npm_audit("styles", json.dumps(npm), "").weaknesses == ("sass <2: high",)


@pytest.mark.parametrize(
    ("output", "errors"),
    [("", "ERROR: no route to host"), ("", ""), ("<html>", "x"), ('{"message": "not implemented"}', ""), ("{}", "")],
)
def test_no_answer_is_said_to_be_none(output: str, errors: str) -> None:
    for answer in (read_pip_audit("run.txt", output, errors), read_npm_audit("styles", output, errors)):
        assert answer.unreached and not answer.weaknesses


def test_a_package_of_which_the_source_knows_nothing_was_not_checked() -> None:
    rows = [{"name": "django", "version": "5.2", "vulns": []}, {"name": "ours", "skip_reason": "not found"}]
    answer = read_pip_audit("run.txt", json.dumps({"dependencies": rows}), "")
    assert answer.unreached == "1 of 2 packages: not found"


def test_an_answer_without_weaknesses_is_one() -> None:
    assert read_pip_audit("run.txt", '{"dependencies": []}', "").unreached == ""
    assert read_npm_audit("styles", '{"vulnerabilities": {}}', "").unreached == ""


def test_every_lock_has_hashes_and_no_addresses() -> None:
    for lock in sorted((ROOT / "deploy/requirements").glob("*.txt")):
        text = lock.read_text()
        assert "://" not in text, lock.name
        packages = re.findall(r"^[\w.-]+(?:\[.*?\])?==.*(?:\n    .*)*", text, re.MULTILINE)
        assert packages and all("--hash=sha256:" in package for package in packages), lock.name
    for lock in (Path("dispensary/counter/styles"), Path("tests/browser")):
        packages = json.loads((ROOT / lock / "package-lock.json").read_text())["packages"]
        assert all("integrity" in package for place, package in packages.items() if place), lock
