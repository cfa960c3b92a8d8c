"""The shell door: ``python -m baclofen_rules``. It only translates; what it prints is what Python gets."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from baclofen_rules.case import Case, InvalidCase
from baclofen_rules.findings import Outcome
from baclofen_rules.profiles import InvalidProfile, Profile
from baclofen_rules.review import Review, explain, review
from baclofen_rules.rulebook import list_profiles, load_profile

NOT_REVIEWED: Final = 3
"""Exit status for bad input; one line on stderr says what and where."""
STATUS: Final = {Outcome.PASS: 0, Outcome.ACKNOWLEDGE: 1, Outcome.OVERRIDE: 1, Outcome.STOP: 2}


class BadInput(Exception):
    """What was given cannot be used; its text is one line for the person at the shell."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_REVIEWED
    except (InvalidCase, InvalidProfile, BadInput) as error:
        _complain(str(error))
        return NOT_REVIEWED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="baclofen_rules", description="What is safe about dispensing oral baclofen.")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_review(commands)
    _add_profiles(commands)
    return parser


def _add_review(commands: Any) -> None:
    ask = commands.add_parser(
        "review",
        help="one case in, one review out",
        description="Exit status: 0 pass, 1 acknowledge or override, 2 stop, 3 could not be reviewed.",
    )
    ask.add_argument("case", nargs="?", default="-", help="file with a case as JSON; - is standard input")
    ask.add_argument("--profile", default="lioresal", help="name of a profile (default: lioresal)")
    ask.add_argument("--folder", type=Path, help="a site's own folder of profile files")
    ask.add_argument("--on", type=_date, help="the day to ask about, instead of the one in the case (YYYY-MM-DD)")
    ask.add_argument("--od", action="store_true", help='this site writes "od" for once a day')
    how = ask.add_mutually_exclusive_group()
    how.add_argument("--lines", action="store_true", help="one case a line in, one review a line out")
    how.add_argument("--explain", action="store_true", help="what every rule saw, its limit, and why it stayed clear")
    ask.set_defaults(run=_review)


def _review(options: argparse.Namespace) -> int:
    profile = load_profile(options.profile, folder=options.folder)
    od = True if options.od else None
    if options.lines:
        return _review_lines(options, profile, od)
    case = Case.from_text(_read(options.case), options.on, od)
    answer = review(case, profile)
    if options.explain:
        _say(_explained(case, profile, answer))
    else:
        _print(answer.to_json())
    return STATUS[answer.outcome]


def _review_lines(options: argparse.Namespace, profile: Profile, od: bool | None) -> int:
    """A line that cannot be reviewed gets a line with an error in its place, and the others go on."""
    worst = 0
    for number, line in enumerate(_read(options.case).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            answer = review(Case.from_text(line, options.on, od), profile)
        except (InvalidCase, InvalidProfile) as error:
            _complain(f"line {number}: {error}")
            _say(json.dumps({"line": number, "error": str(error)}))
            worst = NOT_REVIEWED
        else:
            _say(json.dumps(answer.to_json(), separators=(",", ":")))
            worst = max(worst, STATUS[answer.outcome])
    return worst


def _explained(case: Case, profile: Profile, answer: Review) -> str:
    rules = explain(case, profile)
    lines = [f"Outcome: {answer.outcome} (profile {profile.name}, numbers of {answer.in_force_on})", ""]
    width = max(len(rule.code) for rule in rules)
    lines += [f"{rule.code:<{width}}  {rule.state:<12}  {rule.words}" for rule in rules]
    return "\n".join(lines).encode("ascii", "backslashreplace").decode()


def _add_profiles(commands: Any) -> None:
    show = commands.add_parser("profiles", help="names, digests, review dates; what differs between two")
    show.add_argument("--folder", type=Path, help="a site's own folder of profile files")
    show.add_argument("--on", type=_date, help="say which next review has passed on that day (YYYY-MM-DD)")
    show.set_defaults(run=_profiles)


def _profiles(options: argparse.Namespace) -> int:
    for name in list_profiles(options.folder):
        profile = load_profile(name, folder=options.folder)
        due = ""
        if options.on is not None and profile.is_due_for_review(options.on):
            due = f"  REVIEW PASSED on {options.on}"
        _say(f"{name}  {profile.digest}  next review {profile.next_review}  checked by: {profile.checker}{due}")
    return 0


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date; expected YYYY-MM-DD") from None


def _read(name: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise BadInput(f"{name}: {error.strerror}; expected a file with JSON, or - for standard input") from None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput(f"{name}: not UTF-8; expected JSON text in UTF-8") from None


def _print(value: Any) -> None:
    _say(json.dumps(value, indent=2))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _complain(*lines: str) -> None:
    for line in lines:
        sys.stderr.write(line.encode("ascii", "backslashreplace").decode().replace("\n", " ") + "\n")


if __name__ == "__main__":
    sys.exit(main())
