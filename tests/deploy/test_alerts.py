"""The alert rules cover every metric of ours, name no other, and each says what to do."""

from __future__ import annotations

import re
from typing import Any

import promql_parser
import pytest
import yaml
from django.core.management import get_commands
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

import deploy.celery  # noqa: F401  (importing registers its counter of tasks)
from deploy.environment import ROOT
from dispensary.models import WorkKind

GROUPS = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
EXPRESSIONS = " ".join(rule["expr"] for rule in RULES)


@pytest.fixture
def families(db: None, client: Client) -> dict[str, str]:
    """The metrics that a scrape shows: type by name, the name as its samples have it but for a histogram's ending."""
    answer = client.get("/metrics", headers={"authorization": "Bearer metrics-for-tests"})
    scraped = text_string_to_metric_families(answer.content.decode())
    return {f"{family.name}_total" if family.type == "counter" else family.name: family.type for family in scraped}


def test_every_metric_of_ours_has_a_rule(families: dict[str, str]) -> None:
    ours = {name for name in families if name.startswith("dispensary_")}
    assert ours and {name for name in ours if not re.search(rf"\b{name}\b", EXPRESSIONS)} == set()


def test_every_rule_names_metrics_that_exist(families: dict[str, str]) -> None:
    names = set(re.findall(r"\b(?:dispensary|django)_\w+", EXPRESSIONS))
    samples = {f"{name}_bucket" if kind == "histogram" else name for name, kind in families.items()}
    assert names and names - samples == set()


def test_kinds_of_work_in_the_rules_exist() -> None:
    kinds = {kind for text in re.findall(r'kind!?=~?"([^"]+)"', EXPRESSIONS) for kind in text.split("|")}
    assert kinds and kinds <= set(WorkKind.values)


def test_no_two_rules_have_one_name() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_a_rule_is_promql_has_a_severity_and_says_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    promql_parser.parse(rule["expr"])  # raises
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["annotations"]) == {"summary", "runbook"}
    runbook = rule["annotations"]["runbook"]
    assert rule["annotations"]["summary"].endswith(".") and runbook.endswith(".")
    assert set(re.findall(r"manage\.py (\w+)", runbook)) <= set(get_commands())
    for path in re.findall(r"\b(?:dispensary|deploy)/[\w/]+\.\w+", runbook):
        assert (ROOT / path).is_file()
    cited = set(re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", runbook))
    assert cited <= {other["alert"] for other in RULES} - {rule["alert"]}
