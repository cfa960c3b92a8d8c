"""What the host does with the signals, as dispensary/EXTENDING.md shows it."""

from django.dispatch import receiver

from dispensary import signals
from people.models import Note


@receiver([signals.prescription_received, signals.dispensed, signals.reminder_sent])
def note(signal, id, **facts):
    names = {value: name for name, value in vars(signals).items() if isinstance(value, signals.DoneSignal)}
    Note.objects.create(signal=names[signal], row=id)
    raise RuntimeError("a receiver that breaks")
