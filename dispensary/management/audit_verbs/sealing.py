"""Verbs of the sealer's side: roles, key, seal, anchor, cosign; one of a witness."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError as DjangoOperationalError
from django.db import connections
from django.utils import timezone
from psycopg import OperationalError

from dispensary.audit.checks.requests import CheckRunner
from dispensary.audit.evidence.publication import Publisher
from dispensary.audit.log.database import open_logs, raw_connection, sealer_alias
from dispensary.audit.log.roles import Roles, apply_roles, grant_statements, quote_name
from dispensary.audit.sealing import anchors, cosigning
from dispensary.audit.sealing.cosigning import WitnessSilent
from dispensary.audit.sealing.keys import (
    KeyTrouble,
    create_key_file,
    drop_old_keys,
    key_file,
    make_key,
    read_keys,
    rotate_key,
)
from dispensary.audit.sealing.notes import BadNote, KeyKind, SignerKey, VerifierKey
from dispensary.audit.sealing.sealer import Sealer, SealRefused
from dispensary.audit.sealing.service import Round, make_sealer, record_rotation, seal_round
from dispensary.audit.sealing.witnesses import CosignRefused, Witness, WitnessServer
from dispensary.clock import read_clock
from dispensary.conf import conf
from dispensary.management.audit_verbs.verb import Options, Verb

ADVICE = "Nothing was signed there. Find out why first; `manage.py audit incarnation` then continues with a new log."
DATABASE_ERRORS = (OperationalError, DjangoOperationalError)


def _add_roles_arguments(parser: ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--sql", action="store_true", help="print the statements")
    what.add_argument("--apply", action="store_true", help="run them over the database alias 'owner'")
    for name in ("owner", "app", "sealer", "auditor"):
        parser.add_argument(
            f"--{name}", help=f"login role of the {name} (default: that of the settings, else dispensary_{name})"
        )
    parser.add_argument("--eraser", default="", help="login role that may call audit.erase (default: the owner only)")


def _roles(command: BaseCommand, options: Options) -> int:
    names = ("owner", "app", "sealer", "auditor", "eraser")
    roles = Roles.of_site(**{name: options[name] for name in names if options[name]})
    missing = roles.missing()
    if options["sql"]:
        if missing:
            command.stdout.write(
                "-- As an administrator of the server, then in psql a password for each: \\password NAME"
            )
            command.stdout.write("".join(f"CREATE ROLE {quote_name(name)} LOGIN;\n" for name in missing))
        command.stdout.write(f"-- As {roles.owner}, who owns the tables:")
        command.stdout.write("".join(f"{statement};\n" for statement in grant_statements(roles)))
        return 0
    if "owner" not in connections:
        raise CommandError(
            "There is no database alias 'owner': set DATABASE_OWNER_URL, or print with --sql and run it yourself."
        )
    if missing:
        raise CommandError(
            f"There is no role {', '.join(missing)}: an administrator makes it with what --sql prints first."
        )
    apply_roles(roles, using="owner")
    command.stdout.write(f"The application's role {roles.app} can now write to the log only through audit.append().")
    return 0


ROLES = Verb(
    "Print (--sql) or apply (--apply) the grants that split owner, application, sealer and auditor. Run it after each migrate.",
    _add_roles_arguments,
    _roles,
)


def _add_key_arguments(parser: ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--new", action="store_true", help="make the first key; refuses to overwrite one")
    what.add_argument("--show", action="store_true", help="print the public key of each log")
    what.add_argument(
        "--rotate", action="store_true", help="make a new key; the old one signs beside it until --drop-old"
    )
    what.add_argument("--drop-old", action="store_true", help="end the key that was replaced, after 30 days or so")


def _key(command: BaseCommand, options: Options) -> int:
    """Print one public key (vkey) a line; the private key never leaves its file."""
    path = key_file()
    if options["new"]:
        make_key(path)
        command.stderr.write(
            f"The key is in {path}. Keep a copy of it, and of the public keys below, away from this machine."
        )
    elif options["rotate"]:
        record_rotation(*rotate_key(path), read_clock(sealer_alias()))
    elif options["drop_old"]:
        drop_old_keys(path)
    keys = read_keys(path)
    for log in open_logs(raw_connection(sealer_alias())):
        for key in keys:
            command.stdout.write(str(key.named(log.origin).verifier))
    return 0


KEY = Verb(
    "Make (--new), show (--show), replace (--rotate) the signing key, or end a replaced one (--drop-old).",
    _add_key_arguments,
    _key,
    {KeyTrouble: 1},
)


def _add_seal_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--pharmacy", type=UUID, help="only this pharmacy's log")
    parser.add_argument("--once", action="store_true", help="one round, then exit")
    parser.add_argument("--interval", type=float, default=3.0, help="seconds between rounds (default 3)")
    parser.add_argument(
        "--adopt",
        action="store_true",
        help="the state file is lost: verify all entries, go on from the newest checkpoint",
    )


def _seal(command: BaseCommand, options: Options) -> int:
    """Seal until SIGTERM; with --once status 1 when a log must not be signed."""
    stop = threading.Event()
    if not options["once"] and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        sealer = make_sealer()
    except DATABASE_ERRORS as error:
        raise _unanswered(error) from error
    if options["adopt"]:
        _adopt_logs(command, sealer)
    checks, publisher = CheckRunner(), Publisher()
    while True:
        try:
            checks.poll(read_clock(sealer_alias()))
            _report_round(
                command, seal_round(sealer, read_clock(sealer_alias()), pharmacy=options["pharmacy"]), options
            )
            publisher.poll(read_clock(sealer_alias()))
        except DATABASE_ERRORS as error:
            if options["once"]:
                raise _unanswered(error) from error
            command.stderr.write("The database does not answer; trying again.")
            sealer = _reconnect(stop, options["interval"]) or sealer
        if options["once"] or stop.wait(options["interval"]):
            checks.wait()
            publisher.wait()
            return 0


def _unanswered(error: Exception) -> CommandError:
    return CommandError(f"The database does not answer: {str(error).splitlines()[0]}")


def _reconnect(stop: threading.Event, interval: float) -> Sealer | None:
    connections.close_all()
    stop.wait(interval)
    try:
        return make_sealer()
    except DATABASE_ERRORS:
        return None


def _adopt_logs(command: BaseCommand, sealer: Sealer) -> None:
    for log in open_logs(sealer.connection):
        if sealer.states.load(log.log_id) is None:
            command.stdout.write(f"{log.origin}: verified and adopted at {sealer.adopt(log).size}")


def _report_round(command: BaseCommand, sealing: Round, options: Options) -> None:
    for sealed in sealing.sealed if options["verbosity"] else ():
        if sealed.added:
            command.stdout.write(f"{sealed.log.origin}: {sealed.added} more, signed up to {sealed.size}")
        elif options["once"]:
            command.stdout.write(f"{sealed.log.origin}: nothing new, signed up to {sealed.size}")
    if sealing.refused and options["once"]:
        raise CommandError("\n".join([*map(str, sealing.refused), ADVICE]), returncode=1)


SEAL = Verb(
    "Sign size and root of every log whenever it has grown (or --once), and record how it is protected once a day. A log that "
    "must not be signed (FORK, an altered entry) is reported each minute and stops no other. "
    "Exit 0: all signed, or stopped by SIGTERM; 1: with --once, a log must not be signed.",
    _add_seal_arguments,
    _seal,
    {KeyTrouble: 2, SealRefused: 1},
)


def _add_anchor_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--mail", action="append", default=[], metavar="ADDRESS", help="a mailbox outside of this house"
    )
    parser.add_argument("--print", action="store_true", help="a sheet to print, sign and file")
    parser.add_argument(
        "--dir", action="append", default=[], type=Path, metavar="FOLDER", help="a share or write-once store"
    )
    parser.add_argument("--age", action="store_true", help="how old the newest delivered checkpoint of each log is")


def _anchor(command: BaseCommand, options: Options) -> int:
    """Send the newest checkpoints; each delivery is recorded, failed ones too."""
    if not (options["mail"] or options["print"] or options["dir"] or options["age"]):
        raise CommandError("Say where to: --mail ADDRESS, --print, --dir FOLDER; or ask with --age.", returncode=2)
    connection, now = raw_connection(sealer_alias()), read_clock(sealer_alias())
    newest = list(anchors.newest_anchors(connection))
    deliveries: list[tuple[str, str, Callable[[], Any]]] = [
        *(("mail", to, anchors.build_mail(newest, to, now).send) for to in options["mail"]),
        *(("folder", str(folder), lambda to=folder: anchors.write_notes(to, newest)) for folder in options["dir"]),
    ]
    if options["print"]:
        deliveries.append(("print", "paper", lambda: command.stdout.write(anchors.render_sheet(newest, now))))
    failed = False
    for channel, target, send in deliveries:
        if error_text := anchors.deliver(connection, newest, channel, target, send):
            command.stderr.write(f"Nothing was sent to {target}: {error_text}")
            failed = True
    if options["age"]:
        for origin, age in anchors.anchor_ages(connection, now).items():
            is_old = age.total_seconds() > conf().audit_anchor_max_age
            advice = " - too old: send one with --mail, --print or --dir" if is_old else ""
            command.stdout.write(f"{origin}: {age.total_seconds() / 3600:.1f} hours{advice}")
            failed |= is_old
    return int(failed)


ANCHOR = Verb(
    "Send the newest checkpoint of every log by --mail, to --print, into a --dir, or tell how old the last sent one is (--age).",
    _add_anchor_arguments,
    _anchor,
)


def _add_cosign_arguments(parser: ArgumentParser) -> None:
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
    answer.add_argument("--memory", type=Path, required=True, help="folder with what this witness has seen")
    serve = steps.add_parser("serve", help="be a witness over HTTP (c2sp.org/tlog-witness), behind a proxy with TLS")
    serve.add_argument("--listen", default="127.0.0.1:8467", metavar="HOST:PORT")
    serve.add_argument("--key", type=Path, required=True)
    serve.add_argument("--log-vkey", type=Path, required=True, help="the public keys of the logs to watch, from paper")
    serve.add_argument("--memory", type=Path, required=True, help="folder with what this witness has seen")
    steps.add_parser("ask", help="ask the witness of the settings now, for every log; the sealer does so each minute")
    store = steps.add_parser("store", help="keep a witness's line with its checkpoint")
    store.add_argument("line", type=Path)
    store.add_argument("--pharmacy", type=UUID, required=True)
    store.add_argument("--witness-vkey", type=Path, required=True)


def _cosign(command: BaseCommand, options: Options) -> int:
    """Take one step: request, ask, store (the log's side), key, answer or serve (the witness's)."""
    try:
        match options["step"]:
            case "request":
                connection = raw_connection(sealer_alias())
                anchor = _newest_anchor(options["pharmacy"])
                submission = cosigning.Submission(anchor.log.log_id, anchor.size, anchor.note)
                request = cosigning.make_request(connection, submission, options["old"])
                command.stdout.write(request, ending="")
            case "key":
                key = SignerKey.generate(options["name"], KeyKind.COSIGNATURE)
                create_key_file(options["file"], key)
                command.stdout.write(str(key.verifier))
            case "answer":
                witness, keys = _read_witness(options)
                request = options["request"].read_text(encoding="utf-8")
                now = timezone.now()  # a witness works elsewhere, without our database
                command.stdout.write(witness.answer(request, keys, now), ending="")
            case "serve":
                _serve_witness(command, options)
            case "ask":
                return _ask_witness(command)
            case "store":
                vkey = VerifierKey.parse(options["witness_vkey"].read_text(encoding="utf-8"))
                log = _newest_anchor(options["pharmacy"]).log
                line = options["line"].read_text(encoding="utf-8")
                size = cosigning.store_answer(raw_connection(sealer_alias()), log.log_id, line, vkey)
                command.stdout.write(f"{vkey.name} vouches for the first {size} entries of {log.origin}.")
    except CosignRefused as refusal:
        raise CommandError(f"Refused: {refusal}.", returncode=1) from refusal
    return 0


def _read_witness(options: Options) -> tuple[Witness, list[VerifierKey]]:
    lines = options["log_vkey"].read_text(encoding="utf-8").splitlines()
    keys = [VerifierKey.parse(line) for line in lines if line.strip() and not line.startswith("#")]
    return Witness(SignerKey.parse(options["key"].read_text(encoding="ascii")), options["memory"]), keys


def _serve_witness(command: BaseCommand, options: Options) -> None:
    """Answer requests until SIGTERM."""
    host, colon, port = options["listen"].rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise CommandError(
            f"--listen is {options['listen']!r}; expected HOST:PORT, such as 127.0.0.1:8467.", returncode=2
        )
    with WitnessServer((host.strip("[]"), int(port)), *_read_witness(options), timezone.now) as server:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
        command.stdout.write(f"Cosigning for {len(server.log_keys)} keys at {host}:{server.server_port}.")
        server.serve_forever()


def _ask_witness(command: BaseCommand) -> int:
    remote = cosigning.remote_witness()
    if remote is None:
        raise CommandError("No witness is set: give audit_witness_url and audit_witness_vkeys.", returncode=2)
    answers = cosigning.ask_witness(raw_connection(sealer_alias()), remote)
    for sentence in answers.cosigned:
        command.stdout.write(sentence)
    for refusal in answers.refused:
        command.stderr.write(refusal)
    if not answers.cosigned and not answers.refused:
        command.stdout.write("Every open log's newest checkpoint is cosigned already: nothing was asked.")
    return int(bool(answers.refused))


def _newest_anchor(pharmacy: UUID) -> anchors.Anchor:
    for anchor in anchors.newest_anchors(raw_connection(sealer_alias())):
        if anchor.log.pharmacy == pharmacy:
            return anchor
    raise CosignRefused(f"pharmacy {pharmacy} has no checkpoint yet")


COSIGN = Verb(
    "Ask a witness (ask; request and store with files), be one (key; serve, or answer with files). "
    "Exit 0: done; 1: refused; 2: usage; 3: the witness does not answer.",
    _add_cosign_arguments,
    _cosign,
    {BadNote: 2, OSError: 2, ImproperlyConfigured: 2, WitnessSilent: 3},
)
