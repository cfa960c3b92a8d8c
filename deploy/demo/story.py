"""One day at the counter, told through the running HTTP server: what came in, what the rule book said, what was done."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from deploy.demo.client import Answer, Client
from deploy.demo.people import PASSWORD, TEN_MG, TWENTY_FIVE_MG, facts_of

PRESCRIBER = {"identifier": "C1234567", "name": "Dr Grace Mwangi", "phone": "+44 20 7946 0000"}
_MARK = {
    "pass": "passes",
    "acknowledge": "asks for an acknowledgement",
    "override": "asks for a pharmacist's reason",
    "stop": "stops it",
}


@dataclass
class Story:
    """The day's script. `failures` has a sentence for each thing that did not come out as told."""

    technician: Client
    pharmacist: Client
    folder: Path
    today: date
    failures: list[str] = field(default_factory=list)
    dispensed: list[dict[str, Any]] = field(default_factory=list)
    chapter: int = 0

    def tell(self) -> None:
        """Tell the eight prescriptions."""
        self.clean_new_start()
        self.repeat_on_time()
        self.tenfold_slip()
        self.wrong_strength_picked()
        self.dose_above_maximum()
        self.taper_too_fast()
        self.early_refill()
        self.abrupt_stop()

    # --- the eight prescriptions -------------------------------------------------------------------------------------------------

    def clean_new_start(self) -> None:
        self.title("A new start", "Iris Kaplan, 5 mg three times a day for 28 days")
        order = self.receive("Iris", "Kaplan", self.order(5, 28, 42))
        self.expect_outcome(order, "pass")
        self.hand_over(self.technician, order, 42)

    def repeat_on_time(self) -> None:
        self.title("A repeat, on time", "Jo O'Hara, 10 mg three times a day, as a FHIR MedicationRequest")
        patient = self.register("Jo", "O'Hara", [self.supply(26, 10, 3)])
        answer = self.technician.post(
            "fhir/MedicationRequest", self.medication_request(patient), "application/fhir+json"
        )
        self.expect(answer.status == 201, f"the FHIR order is taken in (it was: {answer.status} {_detail(answer)})")
        if answer.status == 201:
            order = self.technician.get(f"prescriptions/{answer.body['id']}/").body
            self.show_findings((order.get("assessment") or {}).get("findings", []))
            self.hand_over(self.technician, order, 84)

    def tenfold_slip(self) -> None:
        self.title("A slip of the pen", "Max Brandt, a first prescription of 50 mg three times a day; 5 mg was meant")
        order = self.receive("Max", "Brandt", self.order(50, 28, 420))
        self.expect_finding(order, "tenfold")
        self.refused(self.technician, order, 420)
        self.cancel(order, "prescriber called: 5 mg was meant, a new prescription follows")

    def wrong_strength_picked(self) -> None:
        self.title("The wrong box", "Lena Voss, 10 mg tablets ordered, the 25 mg box scanned")
        order = self.receive("Lena", "Voss", self.order(10, 28, 84), [self.supply(27, 10, 3)])
        refused = self.refused(self.technician, order, 84, gtin=TWENTY_FIVE_MG)
        self.expect(
            "pick" in [finding["code"] for finding in refused], "the scan of the 25 mg box is the finding `pick`"
        )
        self.hand_over(self.technician, order, 84)

    def dose_above_maximum(self) -> None:
        self.title("Above the maximum, on purpose", "Samir Haddad, 35 mg three times a day after 100 mg a day")
        order = self.receive("Samir", "Haddad", self.order(35, 28, 294), [self.supply(27, 0, 0, doses=[35, 30, 35])])
        self.expect_finding(order, "daily-maximum")
        self.refused(self.technician, order, 294)
        for finding in self.questions(order, "override"):
            answer = {
                "finding": finding["code"],
                "mitigation": "5",
                "words": "Spasticity not controlled at 100 mg; neurologist raises to 105 mg with weekly review.",
                "asked": "Dr Grace Mwangi",
                "asked_at": self.moment(order),
                "agreed": "105 mg a day until the review next week",
            }
            begun = self.pharmacist.post(f"prescriptions/{order['id']}/signatures/", {"overrides": [answer]}).body
            proof = {"password": PASSWORD, "digest": begun["digest"], "nonce": begun["nonce"]}
            signed = self.pharmacist.post(f"prescriptions/{order['id']}/overrides/", {**answer, "proof": proof})
            self.expect(
                signed.status == 201,
                f"the pharmacist's answer to {finding['code']} is taken ({signed.status} {_detail(signed)})",
            )
            self.say(f"Paul calls the prescriber and signs: {answer['agreed']}.")
        self.hand_over(self.pharmacist, order, 294)

    def taper_too_fast(self) -> None:
        self.title("A taper that is too fast", "Vera Nowak, from 60 mg a day to nothing in six days")
        phases = [
            {"dose": 10, "unit": "mg", "times_per_day": 3, "days": 3},
            {"dose": 5, "unit": "mg", "times_per_day": 3, "days": 3},
        ]
        body = self.order(0, 0, 13.5) | {
            "phases": phases,
            "then_stop": True,
            "directions": "10 mg three times a day for 3 days, then 5 mg three times a day for 3 days, then stop",
        }
        order = self.receive("Vera", "Nowak", body, [self.supply(27, 20, 3)])
        finding_codes = self.codes(order)
        self.expect(
            any(code.startswith("taper") for code in finding_codes),
            f"the taper is found too fast (found: {', '.join(finding_codes)})",
        )
        self.refused(self.technician, order, 13.5)
        proposals = [
            finding["suggestion"]["taper"]
            for finding in order["review"]["result"]["findings"]
            if (finding["suggestion"] or {}).get("taper")
        ]
        self.expect(bool(proposals), "the rule book proposes a taper that holds")
        if proposals:
            self.say(f"It proposes: {proposals[0]['sentence']}")
            self.dispense_proposal(order, body, proposals[0])

    def dispense_proposal(self, order: Mapping[str, Any], body: Mapping[str, Any], taper: Mapping[str, Any]) -> None:
        """The prescriber agrees: the proposed taper comes in as a prescription that replaces the first."""
        quantity = float(taper["tablets"][0]["quantity"])
        slower = dict(body) | {
            "phases": taper["phases"],
            "then_stop": taper["then_stop"],
            "directions": taper["sentence"],
            "quantity": quantity,
        }
        self.say("The prescriber agrees and sends it.")
        better = self.receive("Vera", "Nowak", slower, patient={"id": order["patient"]["id"]}, replaces=order["id"])
        self.hand_over(self.technician, better, quantity)

    def early_refill(self) -> None:
        self.title("Back too early", "Tom Reyes, three weeks before the last supply ends")
        order = self.receive("Tom", "Reyes", self.order(10, 28, 84), [self.supply(5, 10, 3)])
        self.expect_finding(order, "early-refill")
        self.refused(self.technician, order, 84)

    def abrupt_stop(self) -> None:
        self.title("Stop it today", "Nora Lind, 60 mg a day for months, to be stopped without a taper")
        order = self.receive("Nora", "Lind", self.order(20, 28, 168), [self.supply(20, 20, 3)], quiet=True)
        answer = self.pharmacist.post(f"prescriptions/{order['id']}/stop/", {"words": "patient feels better"})
        self.show_findings(answer.body.get("findings", []))
        codes = [finding["code"] for finding in answer.body.get("findings", [])]
        self.expect(
            answer.status == 409 and "abrupt-stop" in codes,
            f"stopping at once is held back ({answer.status} {_detail(answer)})",
        )
        self.say("Not stopped. Nora keeps her tablets until a taper is agreed.")

    # --- what they have in common ------------------------------------------------------------------------------------------------

    def order(self, dose: float, days: int, quantity: float) -> dict[str, Any]:
        """Return the `prescription` of a case: `dose` mg three times a day, of 10 mg tablets, written yesterday."""
        return {
            "written_on": (self.today - timedelta(days=1)).isoformat(),
            "route": "oral",
            "form": "tablet",
            "strength_mg": 10,
            "phases": [{"dose": dose, "unit": "mg", "times_per_day": 3, "days": days}],
            "then_stop": False,
            "directions": f"{dose} mg three times a day for {days} days",
            "quantity": quantity,
            "repeats": 0,
        }

    def supply(self, days_ago: int, dose: float, times: int, doses: list[float] | None = None) -> dict[str, Any]:
        """Return an earlier supply of 28 days on a dose that has stood for half a year."""
        supply_body: dict[str, Any] = {"doses": doses} if doses else {"dose": dose, "times_per_day": times}
        return supply_body | {
            "dispensed_on": (self.today - timedelta(days=days_ago)).isoformat(),
            "strength_mg": 10,
            "days_supply": 28,
            "dose_since": (self.today - timedelta(days=180)).isoformat(),
            "relation": "same-course",
        }

    def receive(
        self,
        given: str,
        family: str,
        prescription: Mapping[str, Any],
        history: list[dict[str, Any]] | None = None,
        *,
        patient: dict[str, Any] | None = None,
        replaces: str | None = None,
        quiet: bool = False,
    ) -> dict[str, Any]:
        """Send the order in as a case; the patient is new today unless named. Returns the prescription with its review beside it."""
        who = patient or {"identifier": f"S-{secrets.token_hex(3)}", "family_name": family, "given_name": given}
        case: dict[str, Any] = {
            "format": "baclofen-case/1",
            "prescription": dict(prescription),
            "history": history or [],
        }
        if patient is None:
            case["patient"] = facts_of(given)
        body = {"patient": who, "prescriber": PRESCRIBER, "case": case} | ({"replaces": replaces} if replaces else {})
        answer = self.technician.post("prescriptions/", body)
        self.expect(answer.status == 201, f"the order is taken in (it was: {answer.status} {_detail(answer)})")
        if answer.status != 201:
            unknown_id = "00000000-0000-0000-0000-000000000000"
            return {
                "id": unknown_id,
                "patient": {"id": unknown_id},
                "review": {"outcome": "", "findings": [], "result": {"findings": []}},
            }
        order: dict[str, Any] = answer.body["prescription"] | {"review": answer.body["review"]}
        if not quiet:
            self.say(f"The rule book {_MARK[order['review']['outcome']]}.")
            self.show_findings(order["review"]["findings"])
        return order

    def register(self, given: str, family: str, history: list[dict[str, Any]]) -> dict[str, Any]:
        """Register a patient and the supplies made before."""
        patient_body = {
            "identifier": f"S-{secrets.token_hex(3)}",
            "family_name": family,
            "given_name": given,
            "facts": facts_of(given),
        }
        answer = self.technician.post("patients/", patient_body)
        self.expect(answer.status == 201, f"{given} {family} is registered ({answer.status} {_detail(answer)})")
        answer = self.technician.post(f"patients/{answer.body.get('id')}/supplies/", {"supplies": history})
        self.expect(answer.status == 201, f"the earlier supplies are recorded ({answer.status} {_detail(answer)})")
        patient: dict[str, Any] = answer.body
        return patient

    def medication_request(self, patient: Mapping[str, Any]) -> dict[str, Any]:
        """Return the repeat as another system sends it."""
        return {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": {"text": "Baclofen 10 mg tablets"},
            "subject": {"reference": "#p"},
            "requester": {"reference": "#d"},
            "authoredOn": (self.today - timedelta(days=1)).isoformat(),
            "contained": [
                {
                    "resourceType": "Patient",
                    "id": "p",
                    "identifier": [{"value": patient.get("identifier")}],
                    "name": [{"family": "O'Hara", "given": ["Jo"]}],
                },
                {
                    "resourceType": "Practitioner",
                    "id": "d",
                    "identifier": [{"value": PRESCRIBER["identifier"]}],
                    "name": [{"text": PRESCRIBER["name"], "family": "Mwangi", "given": ["Grace"]}],
                },
            ],
            "dosageInstruction": [
                {
                    "text": "10 mg three times a day",
                    "timing": {
                        "repeat": {
                            "frequency": 3,
                            "period": 1,
                            "periodUnit": "d",
                            "boundsDuration": {
                                "value": 28,
                                "unit": "days",
                                "system": "http://unitsofmeasure.org",
                                "code": "d",
                            },
                        }
                    },
                    "route": {"text": "oral"},
                    "doseAndRate": [
                        {
                            "doseQuantity": {
                                "value": 10,
                                "unit": "mg",
                                "system": "http://unitsofmeasure.org",
                                "code": "mg",
                            }
                        }
                    ],
                }
            ],
            "dispenseRequest": {"quantity": {"value": 84, "unit": "tablets"}},
        }

    def hand_over(self, by: Client, order: Mapping[str, Any], quantity: float) -> None:
        """Dispense, acknowledging what only asks to be read; the same key sent twice must give the same answer twice."""
        body = self.handover(quantity, TEN_MG) | {
            "acknowledged": [finding["code"] for finding in self.questions(order, "acknowledge")]
        }
        key = secrets.token_hex(12)
        answer, again = (by.post(f"prescriptions/{order['id']}/dispenses/", body, key=key) for _ in range(2))
        self.expect(answer.status == 201, f"{quantity} tablets are handed over ({answer.status} {_detail(answer)})")
        self.expect(answer == again, "the same request sent twice gives the same answer")
        if answer.status == 201:
            done = answer.body
            self.dispensed.append(done)
            run_out = date.fromisoformat(done["run_out_on"])
            self.say(
                f"Handed over: {done['quantity']} tablets for {done['days_supply']} days; the supply ends on {run_out:%a %d %b %Y}."
            )
            label = self.technician.document(f"dispenses/{done['id']}/label.pdf")
            self.expect(label.startswith(b"%PDF"), "the label is a PDF")
            (self.folder / f"label-{len(self.dispensed)}.pdf").write_bytes(label)

    def refused(
        self, by: Client, order: Mapping[str, Any], quantity: float, gtin: str = TEN_MG
    ) -> list[dict[str, Any]]:
        """Try to dispense what must not be dispensed. Returns the findings that stand in the way."""
        answer = by.post(f"prescriptions/{order['id']}/dispenses/", self.handover(quantity, gtin))
        self.expect(answer.status == 409, f"the hand-over is refused ({answer.status} {_detail(answer)})")
        findings: list[dict[str, Any]] = answer.body.get("findings", [])
        if gtin != TEN_MG:
            self.show_findings(findings)
        self.say("Not handed over.")
        return findings

    def handover(self, quantity: float, gtin: str) -> dict[str, Any]:
        """Return the body of a hand-over: quantity and the scanned pack."""
        expiry = (self.today + timedelta(days=700)).replace(day=1)
        return {"quantity": str(quantity), "pack": {"scan": f"]d201{gtin[-14:]}17{expiry:%y%m%d}10B2209"}}

    def cancel(self, order: Mapping[str, Any], reason: str) -> None:
        """End an order that will not be dispensed; as an answer to what the pharmacist saw, whatever its version."""
        answer = self.pharmacist.change(f"prescriptions/{order['id']}/cancel/", {"reason": reason})
        self.expect(answer.status == 200, f"the prescription is cancelled ({answer.status} {_detail(answer)})")
        self.say(f"Cancelled: {reason}.")

    def questions(self, order: Mapping[str, Any], severity: str) -> list[dict[str, Any]]:
        """Return the order's findings of one severity, as of today."""
        answer = self.pharmacist.get(f"prescriptions/{order['id']}/")
        findings = (answer.body.get("assessment") or {}).get("findings", []) if answer.status == 200 else []
        return [finding for finding in findings if finding["severity"] == severity]

    def moment(self, order: Mapping[str, Any]) -> str:
        """Return when the order came in, which is when the call was made."""
        return str(order.get("received_at"))

    # --- telling and checking ----------------------------------------------------------------------------------------------------

    def title(self, what: str, who: str) -> None:
        self.chapter += 1
        print(f"\n{self.chapter}. {what}: {who}", flush=True)

    def say(self, sentence: str) -> None:
        print(f"   {sentence}", flush=True)

    def show_findings(self, findings: list[dict[str, Any]]) -> None:
        for finding in findings:
            if finding["severity"] != "information":
                self.say(f"[{finding['severity']}] {finding['code']}: {finding['detail'] or finding['summary']}")

    def codes(self, order: Mapping[str, Any]) -> list[str]:
        return [finding["code"] for finding in order["review"]["findings"]]

    def expect(self, came_true: bool, sentence: str) -> None:
        """Note a failure when something did not come out as the story says."""
        if not came_true:
            self.failures.append(f"{self.chapter}: expected that {sentence}")
            self.say(f"!! expected that {sentence}")

    def expect_outcome(self, order: Mapping[str, Any], outcome: str) -> None:
        self.expect(
            order["review"]["outcome"] == outcome, f"the outcome is {outcome} (it was: {order['review']['outcome']})"
        )

    def expect_finding(self, order: Mapping[str, Any], code: str) -> None:
        self.expect(
            code in self.codes(order),
            f"the rule book finds {code} (it found: {', '.join(self.codes(order)) or 'nothing'})",
        )


def _detail(answer: Answer) -> str:
    if not isinstance(answer.body, dict):
        return ""
    problems = "; ".join(
        f"{p.get('field')}: {p.get('given')}, expected {p.get('expected')}" for p in answer.body.get("problems", [])
    )
    return " ".join(part for part in (str(answer.body.get("detail", "")), problems) if part)
