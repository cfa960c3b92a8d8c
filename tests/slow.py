"""Files whose tests are all slow: `make check` neither runs nor imports them, `make test` does.

`make check` has 240 seconds of CPU, and took 900 on 29 November 2026, most of them in these files: their tests go through whole
requests and transactions.
"""

from pathlib import Path

_SLOW_FILES = {
    "pages of the counter, 0.5 s of CPU a test; the dose line and the style sheet stay quick": [
        "dispensary/counter/test_asking.py",
        "dispensary/counter/test_audit_desk.py",
        "dispensary/counter/test_bags.py",
        "dispensary/counter/test_break_glass.py",
        "dispensary/counter/test_channel_trial.py",
        "dispensary/counter/test_check.py",
        "dispensary/counter/test_choices.py",
        "dispensary/counter/test_corrected_decisions.py",
        "dispensary/counter/test_day.py",
        "dispensary/counter/test_earlier_supply.py",
        "dispensary/counter/test_downtime.py",
        "dispensary/counter/test_emergency.py",
        "dispensary/counter/test_for_pharmacists.py",
        "dispensary/counter/test_identities.py",
        "dispensary/counter/test_limits.py",
        "dispensary/counter/test_long_exports.py",
        "dispensary/counter/test_new_order.py",
        "dispensary/counter/test_papers_of_earlier_supplies.py",
        "dispensary/counter/test_order_states.py",
        "dispensary/counter/test_packs.py",
        "dispensary/counter/test_page_costs.py",
        "dispensary/counter/test_patient_messages.py",
        "dispensary/counter/test_plan.py",
        "dispensary/counter/test_plain_words.py",
        "dispensary/counter/test_printing.py",
        "dispensary/counter/test_queue.py",
        "dispensary/counter/test_reminders.py",
        "dispensary/counter/test_review_desk.py",
        "dispensary/counter/test_staff_alerts.py",
        "dispensary/counter/test_stop.py",
        "dispensary/counter/test_stop_recorded.py",
        "dispensary/counter/test_strangers.py",
        "dispensary/counter/test_subject_files.py",
        "dispensary/counter/test_timeline.py",
        "dispensary/counter/test_two_strengths.py",
    ],
    "a generated day of 1,000 orders, each reviewed": ["dispensary/counter/test_day_of_orders.py"],
    "every element of every row of every rule's table taken away": ["baclofen_rules/test_taken_away.py"],
    "processes of the rule book with the rules of another package": ["baclofen_rules/test_extensions.py"],
    "whole courses through the product; the rule book counts the same cases quickly": [
        "dispensary/test_courses.py",
        "dispensary/test_record.py",
        "dispensary/test_relations_of_supplies.py",
        "dispensary/test_supplies.py",
        "journeys",
    ],
    "many requests a test, 0.15 to 0.5 s; problems, queries and the log by REST, and the actions behind it, stay quick": [
        "deploy/test_accounts.py",
        "deploy/test_junk.py",
        "deploy/test_openid.py",
        "deploy/test_pins.py",
        "dispensary/api/test_bad_input.py",
        "dispensary/api/cds_hooks",
        "dispensary/api/test_cds_hooks.py",
        "dispensary/api/test_exports.py",
        "dispensary/api/test_fhir.py",
        "dispensary/api/test_fhir_bundles.py",
        "dispensary/api/test_fhir_changes.py",
        "dispensary/api/test_fhir_review.py",
        "dispensary/api/test_handover.py",
        "dispensary/api/test_idempotency.py",
        "dispensary/api/test_messages.py",
        "dispensary/api/test_orders.py",
        "dispensary/api/test_people.py",
        "dispensary/api/test_queries.py",
        "dispensary/api/test_review.py",
        "dispensary/api/test_schema.py",
        "dispensary/api/test_staff.py",
        "dispensary/api/test_stranger.py",
        "dispensary/api/test_two_counters.py",
        "dispensary/api/test_walkthrough.py",
        "dispensary/patient_pages/test_notifications.py",
        "dispensary/webhooks/test_webhooks.py",
    ],
    "several orders and hand-overs a test, 0.2 to 0.4 s; the other actions stay quick": [
        "dispensary/actions/test_intake.py",
        "dispensary/actions/test_record_exports.py",
        "dispensary/actions/test_namesakes.py",
        "dispensary/actions/test_replay.py",
        "dispensary/actions/test_two_at_once.py",
    ],
    "logs of many entries, attacked or kept for years, 0.2 to 0.4 s; writing, sealing and verifying stay quick": [
        "dispensary/audit/checks/test_older_catalogues.py",
        "dispensary/audit/checks/test_reconcile.py",
        "dispensary/audit/checks/test_rows.py",
        "dispensary/audit/checks/test_tampering_around.py",
        "dispensary/audit/evidence/test_tiles.py",
        "dispensary/audit/sealing/test_anchors.py",
        "dispensary/counter/test_limit_trials.py",
        "dispensary/counter/test_peer_review.py",
        "benchmarks/test_review_desk.py",
        "dispensary/audit/test_drill.py",
        "dispensary/audit/test_outside.py",
        "dispensary/audit/test_retention.py",
    ],
    "plans of many patients and every change of clocks, 0.2 to 0.7 s; schedule, engine and texts stay quick": [
        "dispensary/management/commands/test_reminders.py",
        "dispensary/reminders/test_breaker.py",
        "dispensary/reminders/test_planning.py",
        "dispensary/reminders/test_planning_again.py",
        "dispensary/reminders/test_quiet_hours.py",
        "dispensary/reminders/test_risk_list.py",
    ],
}
"""The reasons, and the files and folders below `tests/`."""

SLOW_PATHS = frozenset(Path(__file__).parent / name for names in _SLOW_FILES.values() for name in names)


def is_slow(path: Path) -> bool:
    """Return True for a file that is listed, or is in a folder that is."""
    return not SLOW_PATHS.isdisjoint((path, *path.parents))
