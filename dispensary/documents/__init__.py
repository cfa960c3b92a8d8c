"""The papers of a dispense: the label and the dated calendar. Pure functions of plain values; no database."""

from dispensary.documents.calendar import calendar_days, taper_calendar_pdf
from dispensary.documents.label import label_pdf, label_png, label_text
from dispensary.documents.override import OverrideRecord, PrintedSignature, override_record_pdf
from dispensary.documents.paper import Course, DoesNotFit, Handover, PharmacyLines, Receipt, Stretch
from dispensary.documents.request import PlanRequest, RequestPhase, plan_request_pdf

__all__ = [
    "Course",
    "DoesNotFit",
    "Handover",
    "OverrideRecord",
    "PharmacyLines",
    "PlanRequest",
    "PrintedSignature",
    "Receipt",
    "RequestPhase",
    "Stretch",
    "calendar_days",
    "label_pdf",
    "label_png",
    "label_text",
    "override_record_pdf",
    "plan_request_pdf",
    "taper_calendar_pdf",
]
