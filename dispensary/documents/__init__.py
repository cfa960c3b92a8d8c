"""The papers of a dispense, the label and the dated calendar among them. Pure functions of plain values; no database."""

from dispensary.documents.calendar import calendar_days, taper_calendar_pdf
from dispensary.documents.downtime import DowntimeForm, DowntimeOrder, DowntimePatient, Paper, downtime_form_pdf
from dispensary.documents.label import draw_labels, label_pdf, label_png, label_text, say_course
from dispensary.documents.leaflet import LeafletLayout, leaflet_pdf
from dispensary.documents.letter import Letter, letter_pdf, letter_words
from dispensary.documents.override import OverrideRecord, PrintedSignature, override_record_pdf
from dispensary.documents.paper import Course, DoesNotFit, Handover, PharmacyLines, Receipt, Stretch
from dispensary.documents.person import person_record_pdf
from dispensary.documents.request import PlanRequest, RequestPhase, plan_request_pdf

__all__ = [
    "Course",
    "DoesNotFit",
    "DowntimeForm",
    "DowntimeOrder",
    "DowntimePatient",
    "Handover",
    "LeafletLayout",
    "Letter",
    "OverrideRecord",
    "Paper",
    "PharmacyLines",
    "PlanRequest",
    "PrintedSignature",
    "Receipt",
    "RequestPhase",
    "Stretch",
    "calendar_days",
    "downtime_form_pdf",
    "draw_labels",
    "label_pdf",
    "label_png",
    "label_text",
    "leaflet_pdf",
    "letter_pdf",
    "letter_words",
    "override_record_pdf",
    "person_record_pdf",
    "plan_request_pdf",
    "say_course",
    "taper_calendar_pdf",
]
