"""The host's own channel: a message is a file."""

from pathlib import Path

from dispensary.channels import Accepted, Channel


class Pigeon(Channel):
    name = "pigeon"
    needed_options = ("folder",)
    takes_replies = False

    def send(self, message):
        (Path(self.options["folder"]) / f"{message.key}.txt").write_text(f"To: {message.to}\n\n{message.body}")
        return Accepted(str(message.key))


CHANNEL = Pigeon
