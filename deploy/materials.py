"""The bill of materials of a wheel, as CycloneDX 1.6: what the reference deployment installs, and what is built into the pages.

    python -m deploy.materials dist/django_dispensary-0.1.0-py3-none-any.whl

writes `dist/django_dispensary-0.1.0-py3-none-any.cdx.json`. It is read from the locks alone, so that the same tree gives the same bytes.
"""

import base64
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from deploy.environment import ROOT

PYTHON_LOCK = ROOT / "deploy" / "requirements" / "run.txt"
STYLES_LOCK = ROOT / "dispensary" / "counter" / "styles" / "package-lock.json"
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def list_python() -> Iterator[dict[str, Any]]:
    """Yield the packages of the lock, each with the hashes of the files that it may be installed from."""
    for part in PYTHON_LOCK.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        pinned = PINNED.match(part)
        if pinned is None:
            continue
        name, version = pinned.groups()
        purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{quote(version)}"
        hashes = [{"alg": "SHA-256", "content": digest} for digest in HASH.findall(part)]
        yield _component(name, version, purl, _licence(name), hashes)


def list_pages() -> Iterator[dict[str, Any]]:
    """Yield the packages that the style sheet and the fonts are built from."""
    packages = json.loads(STYLES_LOCK.read_text(encoding="utf-8"))["packages"]
    for place, package in packages.items():
        if not place or package.get("dev"):
            continue
        name = place.rpartition("node_modules/")[2]
        purl = f"pkg:npm/{quote(name)}@{quote(package['version'])}"
        algorithm, _, digest = package.get("integrity", "").partition("-")
        hashes = [{"alg": "SHA-512", "content": _to_hex(digest)}] if algorithm == "sha512" else []
        yield _component(name, package["version"], purl, package.get("license", ""), hashes)


def make_bill(wheel: Path) -> dict[str, Any]:
    """Return the bill of a wheel as a CycloneDX document."""
    name, version = wheel.name.split("-")[:2]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, digest)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": f"pkg:pypi/{name.replace('_', '-')}@{version}",
                "name": name.replace("_", "-"),
                "version": version,
                "purl": f"pkg:pypi/{name.replace('_', '-')}@{version}",
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }
        },
        "components": [*list_python(), *list_pages()],
    }


def _component(name: str, version: str, purl: str, licence: str, hashes: list[dict[str, str]]) -> dict[str, Any]:
    component: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if licence:
        component["licenses"] = [{"license": {"name": licence}}]
    if hashes:
        component["externalReferences"] = [{"type": "distribution", "url": purl, "hashes": hashes}]
    return component


def _licence(name: str) -> str:
    """Return what an installed package says of its licence in one line; "" for one that is not installed or says it at length."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return ""
    words = next((about[name] for name in ("License-Expression", "License") if name in about), "")
    return words if len(words) <= 80 and "\n" not in words else ""


def _to_hex(base64_digest: str) -> str:
    return base64.b64decode(base64_digest).hex()


def main() -> None:
    """Write the bill beside the wheel."""
    for wheel in map(Path, sys.argv[1:]):
        bill = wheel.with_suffix(".cdx.json")
        bill.write_text(json.dumps(make_bill(wheel), indent=1) + "\n", encoding="utf-8")
        print(bill)


if __name__ == "__main__":
    main()
