"""The papers of a dispense: the label and the dated calendar. Pure functions of plain values; no database."""

from dispensary.documents.calendar import calendar_days, taper_calendar_pdf
from dispensary.documents.label import label_pdf, label_png, label_text
from dispensary.documents.paper import Course, DoesNotFit, Handover, PharmacyLines, Receipt, Stretch

__all__ = [
    "Course",
    "DoesNotFit",
    "Handover",
    "PharmacyLines",
    "Receipt",
    "Stretch",
    "calendar_days",
    "label_pdf",
    "label_png",
    "label_text",
    "taper_calendar_pdf",
]
