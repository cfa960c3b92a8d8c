"""The counter's addresses. None carries anything about a patient but a random id."""

from django.urls import path

from dispensary.counter import (
    audit_desk,
    check,
    dispensed,
    messaging,
    override,
    papers,
    patients,
    queue,
    reminding,
    session,
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
    path("dispenses/<uuid:pk>/", dispensed.dispensed, name="dispensed"),
    path("dispenses/<uuid:pk>/label.pdf", papers.label, name="label"),
    path("dispenses/<uuid:pk>/label.png", papers.label_picture, name="label-picture"),
    path("dispenses/<uuid:pk>/calendar.pdf", papers.calendar, name="calendar"),
    path("dispenses/<uuid:pk>/trail", dispensed.trail, name="trail"),
    path("dispenses/<uuid:pk>/take-back", dispensed.take_back, name="take-back"),
    path("patients/<uuid:pk>/", patients.patient, name="patient"),
    path("patients/<uuid:pk>/facts", patients.facts, name="facts"),
    path("patients/<uuid:pk>/messages", messaging.explain, name="explain"),
    path("patients/<uuid:pk>/work", reminding.work, name="work"),
    path("withdrawal-risk/", reminding.at_risk, name="at-risk"),
    path("reminders/", reminding.list_, name="reminders"),
    path("reminders/<uuid:pk>/send", reminding.send, name="send-reminder"),
    path("reminders/<uuid:pk>/withdraw", reminding.withdraw, name="withdraw-reminder"),
    path("audit/", audit_desk.audit_desk, name="audit"),
    path("audit/<uuid:pk>/", audit_desk.audit_entry, name="audit-entry"),
    path("audit/<uuid:pk>/proof.json", audit_desk.audit_proof, name="audit-proof"),
    path("lock", session.lock, name="lock"),
    path("leave", session.leave, name="leave"),
    path("unlock", session.unlock, name="unlock"),
    path("pharmacy", session.choose_pharmacy, name="choose-pharmacy"),
]
