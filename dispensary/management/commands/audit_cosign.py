"""Witnessing by files: ask, answer, keep."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from dispensary.audit.log.database import raw_connection, sealer_alias
from dispensary.audit.sealing import anchors
from dispensary.audit.sealing.notes import BadNote, KeyKind, SignerKey, VerifierKey
from dispensary.audit.sealing.witnesses import CosignRefused, Witness, make_request, store_answer


class Command(BaseCommand):
    """`request` and `store` are the log's side; `key` and `answer` the witness's, who needs no database."""

    help = "Ask a witness (request), be one (key, answer), keep a witness's answer (store)."
    requires_system_checks: list[str] = []  # a witness has no database of ours

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Four small steps, all by files."""
        steps = parser.add_subparsers(dest="step", required=True)
        request = steps.add_parser("request", help="print a request for a witness who last saw --old entries")
        request.add_argument("--pharmacy", type=UUID, required=True)
        request.add_argument("--old", type=int, default=0)
        key = steps.add_parser("key", help="make a witness's key; prints the public half")
        key.add_argument("file", type=Path)
        key.add_argument("name", help="the witness's name, without spaces")
        answer = steps.add_parser("answer", help="check a request and print the cosignature")
        answer.add_argument("request", type=Path)
        answer.add_argument("--key", type=Path, required=True)
        answer.add_argument("--log-vkey", type=Path, required=True, help="the log's public key, from paper")
        answer.add_argument("--memory", type=Path, required=True, help="file with what this witness has seen")
        store = steps.add_parser("store", help="keep a witness's line with its checkpoint")
        store.add_argument("line", type=Path)
        store.add_argument("--pharmacy", type=UUID, required=True)
        store.add_argument("--witness-vkey", type=Path, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        """A refusal ends with status 1 and its reason."""
        try:
            getattr(self, f"_{options['step']}")(options)
        except CosignRefused as refusal:
            raise CommandError(f"Refused: {refusal}.", returncode=1) from refusal
        except (BadNote, OSError) as error:
            raise CommandError(str(error), returncode=2) from error

    def _request(self, options: dict[str, Any]) -> None:
        connection = raw_connection(sealer_alias())
        for each in anchors.newest(connection):
            if each.log.pharmacy == options["pharmacy"]:
                self.stdout.write(
                    make_request(connection, each.log.log_id, each.note, each.size, options["old"]), ending=""
                )
                return
        raise CosignRefused(f"pharmacy {options['pharmacy']} has no checkpoint yet")

    def _key(self, options: dict[str, Any]) -> None:
        key = SignerKey.generate(options["name"], KeyKind.COSIGNATURE)
        with os.fdopen(
            os.open(options["file"], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii"
        ) as stream:
            stream.write(key.export() + "\n")
        self.stdout.write(str(key.verifier))

    def _answer(self, options: dict[str, Any]) -> None:
        witness = Witness(SignerKey.parse(options["key"].read_text(encoding="ascii")), options["memory"])
        keys = [
            VerifierKey.parse(line)
            for line in options["log_vkey"].read_text(encoding="utf-8").splitlines()
            if line.strip()
        ]
        self.stdout.write(
            witness.answer(options["request"].read_text(encoding="utf-8"), keys, timezone.now()), ending=""
        )

    def _store(self, options: dict[str, Any]) -> None:
        connection = raw_connection(sealer_alias())
        witness = VerifierKey.parse(options["witness_vkey"].read_text(encoding="utf-8"))
        log = next((each.log for each in anchors.newest(connection) if each.log.pharmacy == options["pharmacy"]), None)
        if log is None:
            raise CosignRefused(f"pharmacy {options['pharmacy']} has no checkpoint yet")
        size = store_answer(connection, log.log_id, options["line"].read_text(encoding="utf-8"), witness)
        self.stdout.write(f"{witness.name} vouches for the first {size} entries of {log.origin}.")
