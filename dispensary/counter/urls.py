"""Addresses of the counter; none carries anything about a patient but a random id."""

from django.urls import path

from dispensary.counter import (
    audit_desk,
    check,
    decisions,
    dispensed,
    identities,
    override,
    patient_messages,
    patients,
    printing,
    queue,
    reminders,
    session,
    stop,
)

app_name = "counter"

urlpatterns = [
    path("", queue.queue, name="queue"),
    path("queue/news", queue.news, name="queue-news"),
    path("queue/next", queue.next_, name="next"),
    path("prescriptions/<uuid:pk>/", check.check, name="check"),
    path("prescriptions/<uuid:pk>/override", override.override, name="override"),
    path("prescriptions/<uuid:pk>/answers/<uuid:answer>/withdraw", override.withdraw, name="withdraw-answer"),
    path("prescriptions/<uuid:pk>/cancel", dispensed.cancel_prescription, name="cancel-prescription"),
    path("prescriptions/<uuid:pk>/stop", stop.stop, name="stop"),
    path("dispenses/<uuid:pk>/", dispensed.dispensed, name="dispensed"),
    path("dispenses/<uuid:pk>/label.pdf", printing.label, name="label"),
    path("dispenses/<uuid:pk>/label.png", printing.preview, name="label-picture"),
    path("dispenses/<uuid:pk>/calendar.pdf", printing.calendar, name="calendar"),
    path("dispenses/<uuid:pk>/trail", dispensed.trail, name="trail"),
    path("dispenses/<uuid:pk>/take-back", dispensed.take_back, name="take-back"),
    path("patients/<uuid:pk>/", patients.show_patient, name="patient"),
    path("patients/<uuid:pk>/facts", patients.change_facts, name="facts"),
    path("patients/<uuid:pk>/decide", decisions.decide, name="decide"),
    path("patients/<uuid:pk>/correct", identities.correct, name="correct"),
    path("patients/<uuid:pk>/namesakes/<uuid:other>", identities.answer_namesake, name="answer-namesake"),
    path("patients/<uuid:pk>/messages", patient_messages.explain, name="explain"),
    path("patients/<uuid:pk>/work", reminders.work, name="work"),
    path("withdrawal-risk/", reminders.at_risk, name="at-risk"),
    path("reminders/", reminders.list_reminders, name="reminders"),
    path("reminders/<uuid:pk>/send", reminders.send, name="send-reminder"),
    path("reminders/<uuid:pk>/withdraw", reminders.withdraw, name="withdraw-reminder"),
    path("audit/", audit_desk.audit_desk, name="audit"),
    path("audit/<uuid:pk>/", audit_desk.audit_entry, name="audit-entry"),
    path("audit/<uuid:pk>/proof.json", audit_desk.audit_proof, name="audit-proof"),
    path("lock", session.lock, name="lock"),
    path("leave", session.leave, name="leave"),
    path("unlock", session.unlock, name="unlock"),
    path("pharmacy", session.choose_pharmacy, name="choose-pharmacy"),
]
