"""The host's own record of a person, for DISPENSARY["patient_resolver"]."""

from people.models import Client

SYSTEM = "https://host.example/clients"


def find(system, identifier):
    client = Client.objects.filter(number=identifier).first() if system == SYSTEM else None
    if client is None:
        return None
    names = {name: getattr(client, name) for name in ("family_name", "given_name")}
    return {**names, "birth_date": client.birth_date.isoformat(), "facts": client.facts}
