"""The shell: ``python -m baclofen_rules``."""

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final

from baclofen_rules.case import Case, InvalidCase
from baclofen_rules.checked import Place
from baclofen_rules.directions import Question, Reading, read_directions
from baclofen_rules.extensions import InvalidExtension
from baclofen_rules.facts import PatientFacts
from baclofen_rules.findings import Outcome
from baclofen_rules.page import rules_page
from baclofen_rules.planning import (
    CannotPlan,
    Pace,
    TaperWishes,
    Wishes,
    plan_step_back,
    plan_taper,
    plan_titration,
    rank_tapers,
)
from baclofen_rules.profiles import InvalidProfile, Profile
from baclofen_rules.profiles.compare import differences
from baclofen_rules.profiles.site import begin_profile, summarize
from baclofen_rules.replay import replay
from baclofen_rules.review import Review, explain, review
from baclofen_rules.rulebook import list_profiles, load_profile
from baclofen_rules.streaming import Answer, read_lines, review_lines
from baclofen_rules.text import read_amount

NOT_REVIEWED: Final = 3
"""Exit status for bad input; one line on stderr says what and where."""
REPLAY_TOLD: Final = 20
"""How often a replay tells how far it is."""
STATUS: Final = {Outcome.PASS: 0, Outcome.ACKNOWLEDGE: 1, Outcome.OVERRIDE: 1, Outcome.STOP: 2}


class BadInput(Exception):
    """Input that cannot be used; the text is one line for stderr."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_REVIEWED
    except (InvalidCase, InvalidProfile, InvalidExtension, CannotPlan, BadInput) as error:
        _complain(str(error))
        return NOT_REVIEWED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="baclofen_rules", description="What is safe about dispensing oral baclofen.")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_review(commands)
    _add_profiles(commands)
    _add_rules(commands)
    _add_directions(commands)
    _add_plan(commands)
    _add_replay(commands)
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
    ask.add_argument("--jobs", type=int, choices=range(1, 65), default=1, metavar="N", help="processes for --lines")
    ask.set_defaults(run=_review)


def _review(options: argparse.Namespace) -> int:
    profile = load_profile(options.profile, folder=options.folder)
    od = True if options.od else None
    if options.lines:
        with _open(options.case) as lines:
            return _say_answers(review_lines(lines, profile, on=options.on, od=od, jobs=options.jobs))
    case = Case.from_text(_read(options.case), options.on, od, profile.medicine)
    answer = review(case, profile)
    if options.explain:
        _say(_explained(case, profile, answer))
    else:
        _print(answer.to_json())
    return STATUS[answer.outcome]


def _say_answers(answers: Iterable[Answer]) -> int:
    """Say the answer to each line; one that has none gets a line with an error in its place, and the others go on."""
    worst = 0
    for answer in answers:
        if answer.outcome is None:
            _complain(f"line {answer.number}: {answer.text}")
            _say(json.dumps({"line": answer.number, "error": answer.text}))
        else:
            _say(answer.text)
        worst = max(worst, NOT_REVIEWED if answer.outcome is None else STATUS[answer.outcome])
    return worst


def _explained(case: Case, profile: Profile, answer: Review) -> str:
    rules = explain(case, profile)
    lines = [f"Outcome: {answer.outcome} (profile {profile.name}, numbers of {answer.in_force_on})", ""]
    width = max(len(rule.code) for rule in rules)
    lines += [f"{rule.code:<{width}}  {rule.state:<12}  {rule.words}" for rule in rules]
    return "\n".join(lines).encode("ascii", "backslashreplace").decode()


def _add_profiles(commands: Any) -> None:
    show = commands.add_parser(
        "profiles",
        help="names, digests, review dates; what differs between two; check one; begin one",
        description="Without more: the profiles. diff A B: what differs, in words. check NAME: read it in full. "
        "new NAME: the beginning of a file that extends another.",
    )
    show.add_argument("--folder", type=Path, help="a site's own folder of profile files")
    show.add_argument(
        "--on", type=_date, help="the day to speak of (YYYY-MM-DD): values, and whether a review has passed"
    )
    show.add_argument("--extends", default="lioresal", help="for new: the profile to extend (default: lioresal)")
    show.add_argument("what", nargs="*", metavar="diff A B | check NAME | new NAME")
    show.set_defaults(run=_profiles)


def _profiles(options: argparse.Namespace) -> int:
    match options.what:
        case []:
            return _list_profiles(options)
        case ["diff", first, second]:
            return _profiles_diff(options, first, second)
        case ["check", name]:
            _say("\n".join(summarize(load_profile(name, folder=options.folder))))
            return 0
        case ["new", name]:
            _say(begin_profile(name, load_profile(options.extends, folder=options.folder)))
            return 0
    raise BadInput(
        f"profiles {' '.join(options.what)}: expected nothing more, or: diff NAME NAME, check NAME, new NAME --extends NAME"
    )


def _list_profiles(options: argparse.Namespace) -> int:
    for name in list_profiles(options.folder):
        profile = load_profile(name, folder=options.folder)
        due = ""
        if options.on is not None and profile.is_due_for_review(options.on):
            due = f"  REVIEW PASSED on {profile.next_review}"
        parts = f"  {len(profile.fallbacks)} parts from {profile.parent}" if profile.fallbacks else ""
        _say(f"{name}  {profile.digest}  next review {profile.next_review}  checked by: {profile.checker}{parts}{due}")
    return 0


def _add_rules(commands: Any) -> None:
    show = commands.add_parser("rules", help="the page of all rules with their numbers in each profile, as Markdown")
    show.add_argument("--folder", type=Path, help="a site's own folder of profile files")
    show.set_defaults(run=_rules)


def _rules(options: argparse.Namespace) -> int:
    sys.stdout.write(rules_page([load_profile(name, folder=options.folder) for name in list_profiles(options.folder)]))
    return 0


def _profiles_diff(options: argparse.Namespace, *names: str) -> int:
    first, second = (load_profile(name, folder=options.folder) for name in names)
    changes = differences(first, second, options.on)
    for change in changes:
        _say(f"{change.place}\n  {first.name}: {change.first}\n  {second.name}: {change.second}")
    if not changes:
        _say(f"{first.name} and {second.name} set the same values.")
    return 0


def _add_directions(commands: Any) -> None:
    read = commands.add_parser(
        "directions",
        help="directions text to phases, or a question",
        description="Exit status: 0 read, 1 something must be asked, 3 bad input.",
    )
    read.add_argument("text", nargs="?", default="-", help="the directions; with --lines a file, - is standard input")
    read.add_argument("--strength", type=_amount, help="strength of the tablet in mg, where directions count tablets")
    read.add_argument("--od", action="store_true", help='this site writes "od" for once a day')
    read.add_argument("--lines", action="store_true", help='one {"text": ..., "strength_mg": ...} a line')
    read.set_defaults(run=_directions)


def _directions(options: argparse.Namespace) -> int:
    od = True if options.od else None
    if not options.lines:
        text = _read("-").strip() if options.text == "-" else options.text
        answer = read_directions(text, options.strength, od)
        _print(answer.to_json())
        return int(isinstance(answer, Question))
    with _open(options.text) as lines:
        return _say_answers(read_lines(lines, options.strength, od))


def _add_plan(commands: Any) -> None:
    plan = commands.add_parser("plan", help="propose a taper or a titration that the rules accept")
    plan.add_argument("kind", choices=("taper", "titration"))
    plan.add_argument("--from", dest="before", help='today\'s dose: "20 mg tid"')
    plan.add_argument("--to", help='the dose to reach: "20 mg tid"')
    plan.add_argument("--strengths", required=True, type=_amounts, help="tablets in stock, in mg: 10,25")
    plan.add_argument("--age", help="years; unknown is planned for as the strictest")
    plan.add_argument("--weight", help="kg; needed where start or maximum go by weight")
    plan.add_argument("--days", type=_days, help="the whole length")
    plan.add_argument("--step", type=_amount, help="the largest change of the daily dose, in mg")
    plan.add_argument("--interval", type=_days, default=1, help="the fewest days at a level")
    plan.add_argument("--pace", type=Pace, choices=list(Pace), default=Pace.GENTLE, help="of a taper (default: gentle)")
    plan.add_argument(
        "--treated", type=_days, help="days since the medicine was begun: a long treatment gets a longer taper"
    )
    plan.add_argument("--back-to", help='symptoms came back at --from: the dose before, "20 mg tid"')
    plan.add_argument(
        "--alternatives", action="store_true", help="every taper with what it costs, best first, one a line"
    )
    plan.add_argument("--egfr", help="mL/min/1.73 m2; a titration keeps below what the kidneys bear")
    plan.add_argument("--dialysis", action="store_true", help="the patient is on dialysis")
    plan.add_argument("--supply", type=_days, help="the most days of one supply (default: the profile's)")
    plan.add_argument("--whole", action="store_true", help="no halves: the patient cannot halve tablets")
    plan.add_argument("--on", type=_date, help="the day whose numbers are used (default: the newest)")
    plan.add_argument("--profile", default="lioresal", help="name of a profile (default: lioresal)")
    plan.add_argument("--folder", type=Path, help="a site's own folder of profile files")
    plan.set_defaults(run=_plan)


def _plan(options: argparse.Namespace) -> int:
    profile = load_profile(options.profile, folder=options.folder)
    on = options.on or max(profile.changes)
    before = None if options.before is None else _day_of_doses("--from", options.before)
    to = None if options.to is None else _day_of_doses("--to", options.to)
    amounts = {"age_years": options.age, "weight_kg": options.weight, "egfr": options.egfr}
    facts = PatientFacts.from_place(Place(amounts, "patient"), on)
    wishes: Wishes = {
        "age_years": facts.age_years,
        "weight_kg": facts.weight_kg,
        "days": options.days,
        "step_mg": options.step,
        "whole_tablets": options.whole,
        "interval_days": options.interval,
        "egfr": facts.egfr,
        "dialysis": options.dialysis,
        "longest_supply_days": options.supply,
    }
    if options.kind == "taper":
        if before is None:
            raise BadInput('--from: nothing given; expected today\'s dose, such as "20 mg tid"')
        of_taper: TaperWishes = {
            **wishes,
            "treated_days": options.treated,
            "last_mg_per_day": None if to is None else sum(to, Decimal(0)),
            "pace": options.pace,
            "held_days": None,
        }
        if options.alternatives:
            for plan in rank_tapers(before, options.strengths, profile, on, **of_taper):
                _say(json.dumps(plan.to_json(), separators=(",", ":")))
            return 0
        if options.back_to is not None:
            back_to = _day_of_doses("--back-to", options.back_to)
            answer = plan_step_back(before, back_to, options.strengths, profile, on, **of_taper)
        else:
            answer = plan_taper(before, options.strengths, profile, on, **of_taper)
    else:
        if to is None:
            raise BadInput('--to: nothing given; expected the dose to reach, such as "20 mg tid"')
        answer = plan_titration(to, options.strengths, profile, on, before=before, **wishes)
    _print(answer.to_json())
    return 0


def _add_replay(commands: Any) -> None:
    again = commands.add_parser(
        "replay",
        help="stored cases against another profile or this version: what changes, and why",
        description="Exit status: 0 no outcome changes, 1 some do, 3 some lines could not be replayed.",
    )
    again.add_argument("cases", nargs="?", default="-", help='one case, or {"case": ..., "review": ...}, a line')
    again.add_argument("--before", help="profile of the answers before (default: the reviews stored in the lines)")
    again.add_argument("--profile", default="lioresal", help="profile of the answers after (default: lioresal)")
    again.add_argument("--folder", type=Path, help="a site's own folder of profile files")
    again.set_defaults(run=_replay)


def _replay(options: argparse.Namespace) -> int:
    after = load_profile(options.profile, folder=options.folder)
    before = None if options.before is None else load_profile(options.before, folder=options.folder)
    lines = _read(options.cases).splitlines()
    step = max(1, len(lines) // REPLAY_TOLD)

    def progress(done: int, changed: int) -> None:
        if done % step == 0 or done == len(lines):
            _complain(f"replayed {done} of {len(lines)} lines; {changed} outcomes change")

    report = replay(lines, after, before, progress)
    _print(report.to_json())
    return NOT_REVIEWED if report.not_replayed else int(bool(report.changed_outcomes))


def _day_of_doses(field: str, text: str) -> tuple[Decimal, ...]:
    """One day's doses in mg, written as directions."""
    answer = read_directions(text, od_means_once_daily=True)
    if isinstance(answer, Reading) and len(answer.phases) == 1 and not answer.as_needed:
        return answer.phases[0].doses
    why = f"{answer.about!r}: {answer.ask}" if isinstance(answer, Question) else "more than one day's doses"
    raise BadInput(f'{field}: {text!r}; expected one day\'s doses in mg, such as "20 mg tid"; {why}')


def _amount(text: str) -> Decimal:
    amount = read_amount(text)
    if amount is None or amount <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount above 0")
    return amount


def _amounts(text: str) -> tuple[Decimal, ...]:
    return tuple(_amount(amount) for amount in text.split(","))


def _days(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,4}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days above 0")
    return int(text)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date; expected YYYY-MM-DD") from None


def _open(name: str) -> AbstractContextManager[BinaryIO]:
    try:
        return nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb")
    except OSError as error:
        raise BadInput(f"{name}: {error.strerror}; expected a file with JSON, or - for standard input") from None


def _read(name: str) -> str:
    try:
        with _open(name) as file:
            return file.read().decode("utf-8")
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
