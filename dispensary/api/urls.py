"""Routes below `/api/v1/`."""

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, path, re_path

from dispensary.actions.documents import Document
from dispensary.api.views import (
    audit,
    bags,
    downtime,
    fhir_bundles,
    fhir_log,
    fhir_metadata,
    fhir_orders,
    fhir_records,
    handover,
    messages,
    month,
    orders,
    overrides,
    people,
    plans,
    review,
    settings,
    staff,
    therapy,
)
from dispensary.api.views.fallback import NothingHereView, NothingOfFHIRView, SchemaView

app_name = "dispensary-api"


def _fhir_routes() -> Iterator[URLPattern]:
    """Yield the addresses of the resources that can be read and searched."""
    for name, (record, search, posted_search) in fhir_records.VIEWS.items():
        yield path(f"fhir/{name}/_search", posted_search.as_view(), name=f"fhir-{name}-posted-search")
        if name != "MedicationRequest":  # its address takes orders in, too
            yield path(f"fhir/{name}", search.as_view(), name=f"fhir-{name}-search")
        yield path(f"fhir/{name}/<str:pk>", record.as_view(), name=f"fhir-{name}")


urlpatterns: list[URLPattern | URLResolver] = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("me/", people.MeView.as_view(), name="me"),
    path("patients/", people.PatientsView.as_view(), name="patients"),
    path("patients/search/", people.PatientSearchView.as_view(), name="patient-search"),
    path("patients/<uuid:pk>/", people.PatientView.as_view(), name="patient"),
    path("patients/<uuid:pk>/namesakes/", people.NamesakesView.as_view(), name="namesakes"),
    path("patients/<uuid:pk>/supplies/", people.SuppliesView.as_view(), name="supplies"),
    path(
        "patients/<uuid:pk>/supplies/<int:supply>/stop/", therapy.StopSupplyView.as_view(), name="recorded-supply-stop"
    ),
    path(
        "patients/<uuid:pk>/supplies/<int:supply>/signatures/",
        overrides.SupplySignaturesView.as_view(),
        name="recorded-supply-signatures",
    ),
    path("patients/<uuid:pk>/decisions/", therapy.DecisionsView.as_view(), name="decisions"),
    path("patients/<uuid:pk>/emergency/", orders.EmergencyView.as_view(), name="emergency"),
    path("patients/<uuid:pk>/death/", people.DeathView.as_view(), name="death"),
    path("break-glass/", people.BreakGlassView.as_view(), name="break-glass"),
    path("prescribers/", people.PrescribersView.as_view(), name="prescribers"),
    path("downtime/form.pdf", downtime.DowntimeFormView.as_view(), name="downtime-form"),
    path("products/", handover.ProductsView.as_view(), name="products"),
    path("products/scan/", handover.ScanView.as_view(), name="scan"),
    re_path(r"^products/(?P<gtin>[0-9]{8,14})/$", handover.ProductView.as_view(), name="product"),
    path("prescriptions/", orders.PrescriptionsView.as_view(), name="prescriptions"),
    path("prescriptions/<uuid:pk>/", orders.PrescriptionView.as_view(), name="prescription"),
    path("prescriptions/<uuid:pk>/cancel/", orders.CancelView.as_view(), name="prescription-cancel"),
    path("prescriptions/<uuid:pk>/hold/", orders.HoldView.as_view(), name="prescription-hold"),
    path("prescriptions/<uuid:pk>/resume/", orders.ResumeView.as_view(), name="prescription-resume"),
    path("prescriptions/<uuid:pk>/claim/", orders.ClaimView.as_view(), name="prescription-claim"),
    path("prescriptions/<uuid:pk>/reinstate/", orders.ReinstateView.as_view(), name="prescription-reinstate"),
    path("prescriptions/<uuid:pk>/correct/", orders.CorrectView.as_view(), name="prescription-correct"),
    path("prescriptions/<uuid:pk>/plan/", plans.PlanView.as_view(), name="plan"),
    path("prescriptions/<uuid:pk>/plan/request.pdf", plans.PlanRequestView.as_view(), name="plan-request"),
    path("prescriptions/<uuid:pk>/plan/take/", plans.PlanTakeView.as_view(), name="plan-take"),
    path("prescriptions/<uuid:pk>/stop/", orders.StopView.as_view(), name="prescription-stop"),
    path("prescriptions/<uuid:pk>/reviews/", orders.ReviewsView.as_view(), name="reviews"),
    path("prescriptions/<uuid:pk>/overrides/", overrides.OverridesView.as_view(), name="overrides"),
    path("prescriptions/<uuid:pk>/signatures/", overrides.SignaturesView.as_view(), name="signatures"),
    path("prescriptions/<uuid:pk>/second/", overrides.SecondView.as_view(), name="second"),
    path("prescriptions/<uuid:pk>/dispenses/", handover.DispensesView.as_view(), name="dispenses"),
    path("prescriptions/<uuid:pk>/late-dispenses/", downtime.LateDispensesView.as_view(), name="late-dispenses"),
    path("prescriptions/<uuid:pk>/bags/", bags.BagsView.as_view(), name="bags"),
    path("bags/<uuid:pk>/", bags.BagView.as_view(), name="bag"),
    path("bags/<uuid:pk>/check/", bags.BagCheckView.as_view(), name="bag-check"),
    path("bags/<uuid:pk>/shelve/", bags.BagShelveView.as_view(), name="bag-shelve"),
    path("bags/<uuid:pk>/uncheck/", bags.BagUncheckView.as_view(), name="bag-uncheck"),
    path("bags/<uuid:pk>/put-back/", bags.BagPutBackView.as_view(), name="bag-put-back"),
    path("bags/<uuid:pk>/hand-over/", bags.BagCollectView.as_view(), name="bag-hand-over"),
    path("second/", overrides.SecondWaitingView.as_view(), name="second-waiting"),
    path("reviews/<uuid:pk>/", orders.ReviewView.as_view(), name="review"),
    path("overrides/<uuid:pk>/", overrides.OverrideView.as_view(), name="override"),
    path("overrides/<uuid:pk>/withdraw/", overrides.WithdrawView.as_view(), name="override-withdraw"),
    path("overrides/<uuid:pk>/record.pdf", overrides.OverrideRecordView.as_view(), name="override-record"),
    path("dispenses/<uuid:pk>/", handover.DispenseView.as_view(), name="dispense"),
    path("dispenses/<uuid:pk>/cancel/", handover.TakeBackView.as_view(how="cancel"), name="dispense-cancel"),
    path("dispenses/<uuid:pk>/return/", handover.TakeBackView.as_view(how="return"), name="dispense-return"),
    path("dispenses/<uuid:pk>/label.pdf", handover.DocumentView.as_view(document=Document.LABEL), name="label"),
    path(
        "dispenses/<uuid:pk>/calendar.pdf", handover.DocumentView.as_view(document=Document.CALENDAR), name="calendar"
    ),
    path("dispenses/<uuid:pk>/leaflet.pdf", handover.DocumentView.as_view(document=Document.LEAFLET), name="leaflet"),
    path(
        "dispenses/<uuid:pk>/leaflet-a5.pdf",
        handover.DocumentView.as_view(document=Document.LEAFLET_A5),
        name="leaflet-a5",
    ),
    path(
        "dispenses/<uuid:pk>/leaflet-large.pdf",
        handover.DocumentView.as_view(document=Document.LEAFLET_LARGE),
        name="leaflet-large",
    ),
    path("dispenses/<uuid:pk>/labels/", handover.LabelsView.as_view(), name="labels"),
    path("dispenses/<uuid:pk>/trail/", handover.TrailView.as_view(), name="trail"),
    path("audit/logs/", audit.LogsView.as_view(), name="audit-logs"),
    path("audit/logs/<uuid:pk>/checkpoints/", audit.CheckpointsView.as_view(), name="audit-checkpoints"),
    path("audit/logs/<uuid:pk>/export/", audit.ExportView.as_view(), name="audit-export"),
    path("audit/entries/", audit.EntriesView.as_view(), name="audit-entries"),
    path("audit/entries/<uuid:pk>/", audit.EntryView.as_view(), name="audit-entry"),
    path("audit/entries/<uuid:pk>/proof/", audit.ProofView.as_view(), name="audit-proof"),
    path("audit/days/<str:day>/", review.DayView.as_view(), name="audit-day"),
    path("audit/days/<str:day>/sign/", review.DaySignView.as_view(), name="audit-day-sign"),
    path("audit/quality/", review.QualityView.as_view(), name="audit-quality"),
    path("audit/checks/", review.ChecksView.as_view(), name="audit-checks"),
    path("audit/samples/", review.SamplesView.as_view(), name="audit-samples"),
    path("audit/samples/<uuid:pk>/", review.SampleView.as_view(), name="audit-sample"),
    path("audit/samples/<uuid:pk>/judgements/", review.JudgementsView.as_view(), name="audit-sample-judgements"),
    path("people/", staff.PeopleView.as_view(), name="people"),
    path("people/<int:pk>/", staff.PersonView.as_view(), name="person"),
    path("people/<int:pk>/end/", staff.PersonEndView.as_view(), name="person-end"),
    path("people/<int:pk>/link/", staff.PersonLinkView.as_view(), name="person-link"),
    path("alerts/", staff.AlertsView.as_view(), name="alerts"),
    path("alerts/contacts/", staff.AlertContactsView.as_view(), name="alert-contacts"),
    path("alerts/<uuid:pk>/answer/", staff.AlertAnswerView.as_view(), name="alert-answer"),
    path("settings/", settings.SettingsView.as_view(), name="settings"),
    path(
        "settings/changes/<int:pk>/approve/",
        settings.SettingsDecisionView.as_view(how="approve"),
        name="settings-approve",
    ),
    path(
        "settings/changes/<int:pk>/withdraw/",
        settings.SettingsDecisionView.as_view(how="withdraw"),
        name="settings-withdraw",
    ),
    path("limits/", settings.LimitsView.as_view(), name="limits"),
    path("fhir/metadata", fhir_metadata.MetadataView.as_view(), name="fhir-metadata"),
    path("patients/<uuid:pk>/messages/", messages.MessagesView.as_view(), name="messages"),
    path("patients/<uuid:pk>/contacts/", messages.ContactsView.as_view(), name="contacts"),
    path("patients/<uuid:pk>/consents/", messages.ConsentsView.as_view(), name="consents"),
    path("contacts/<uuid:pk>/retire/", messages.ContactEndView.as_view(how="retire"), name="contact-retire"),
    path("contacts/<uuid:pk>/wrong-person/", messages.ContactEndView.as_view(how="wrong"), name="contact-wrong"),
    path("contacts/<uuid:pk>/renew-link/", messages.ContactLinkView.as_view(), name="contact-renew-link"),
    path("contacts/<uuid:pk>/detail/", messages.ContactDetailView.as_view(), name="contact-detail"),
    path("patients/<uuid:pk>/carers/", messages.CarersView.as_view(), name="carers"),
    path("carers/<uuid:pk>/answer/", messages.CarerAnswerView.as_view(), name="carer-answer"),
    path("carers/<uuid:pk>/end/", messages.CarerEndView.as_view(), name="carer-end"),
    path("reminders/", messages.RemindersView.as_view(), name="reminders"),
    path("reminders/month/", month.MonthView.as_view(), name="reminders-month"),
    path("reminders/<uuid:pk>/send/", messages.ReminderActionView.as_view(how="send"), name="reminder-send"),
    path(
        "reminders/<uuid:pk>/withdraw/", messages.ReminderActionView.as_view(how="withdraw"), name="reminder-withdraw"
    ),
    path("dispenses/<uuid:pk>/reminders/", messages.PreviewView.as_view(), name="dispense-reminders"),
    path("withdrawal-risk/", messages.RiskView.as_view(), name="withdrawal-risk"),
    path("work/", messages.WorkView.as_view(), name="work"),
    path("work/<uuid:pk>/resolve/", messages.WorkResolveView.as_view(), name="work-resolve"),
    path("work/<uuid:pk>/put-off/", messages.WorkPutOffView.as_view(), name="work-put-off"),
    path("work/<uuid:pk>/letter.pdf", messages.LetterView.as_view(), name="work-letter"),
    path("fhir/MedicationRequest", fhir_orders.MedicationRequestView.as_view(), name="fhir-MedicationRequest-search"),
    path("fhir/MedicationRequest/$review", fhir_orders.OrderReviewView.as_view(), name="fhir-order-review"),
    *_fhir_routes(),
    path("fhir/AuditEvent", fhir_log.AuditEventSearchView.as_view(), name="fhir-AuditEvent-search"),
    path(
        "fhir/AuditEvent/_search",
        fhir_log.PostedAuditEventSearchView.as_view(),
        name="fhir-AuditEvent-posted-search",
    ),
    path("fhir/AuditEvent/<uuid:pk>", fhir_log.AuditEventView.as_view(), name="fhir-AuditEvent"),
    path("fhir", fhir_bundles.BundleView.as_view(), name="fhir-bundle"),
    path("fhir/", fhir_bundles.SlashedBundleView.as_view(), name="fhir-bundle-slashed"),
    re_path(r"^fhir(/.*)?$", NothingOfFHIRView.as_view(), name="nothing-of-fhir"),
    re_path(r"^.*$", NothingHereView.as_view(), name="nothing-here"),
]
