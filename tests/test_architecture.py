"""Rules for the whole tree: imports, sizes of modules, places that write, promises of the README."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.environment import ROOT

PACKAGES = ("baclofen_rules", "dispensary", "deploy")
ROOMS = sorted(
    {
        path.parent
        for package in PACKAGES
        for path in (ROOT / package).glob("*/__init__.py")
        if path.parent.name != "migrations"
    }
    | {ROOT / name for name in PACKAGES}
)
LONGEST_MODULE = 400
ONE_PURPOSE = {
    "dispensary/audit/evidence/verify.py": "an auditor carries this one file away and runs it with nothing else installed",
}
CLOCK_CALLS = {
    ("timezone", "now"),
    ("datetime", "now"),
    ("datetime", "today"),
    ("datetime", "utcnow"),
    ("date", "today"),
    ("time", "time"),
}
WRITES = {"save", "delete", "create", "bulk_create", "bulk_update", "update_or_create", "get_or_create"}


def modules(*folders: str) -> Iterator[Path]:
    """Every Python module of ours below the folders; what a machine wrote (migrations) does not count."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not {"migrations", "node_modules", "__pycache__"} & set(path.parts):
                yield path


def tracked(pattern: str = "") -> list[Path]:
    """The files that git keeps; every file, where the tree is no git checkout."""
    listed = subprocess.run(
        ["git", "ls-files", *([pattern] if pattern else [])], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this tree is no git checkout, so nobody can say which files belong to it")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_layers_are_kept() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[done.stdout.find("Contracts") :]


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    from django.core.management import call_command

    call_command("makemigrations", check=True, dry_run=True, verbosity=1)


def test_no_module_is_too_long() -> None:
    long = {
        name_of(path): count
        for path in modules(*PACKAGES)
        if (count := len(path.read_text().splitlines())) > LONGEST_MODULE and name_of(path) not in ONE_PURPOSE
    }
    assert long == {}


@pytest.mark.parametrize("room", ROOMS, ids=name_of)
def test_every_module_of_a_room_says_what_it_is(room: Path) -> None:
    silent = [
        name_of(path)
        for path in room.glob("*.py")
        if ast.get_docstring(ast.parse(path.read_text())) is None and path.read_text().strip()
    ]
    assert silent == []


def test_no_module_defines_a_function_or_class_twice() -> None:
    """The later would silently take the place of the earlier; a merge of two changes did that once."""
    twice = []
    for path in modules("baclofen_rules", "dispensary", "deploy", "tests"):
        names = [
            node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef | ast.ClassDef)
        ]
        twice += [f"{path.relative_to(ROOT)}: {name}" for name in sorted(set(names)) if names.count(name) > 1]
    assert not twice


IN_NO_TRANSACTION_OF_THEIR_OWN = {
    "decisions.new_decision": "makes a row and stores nothing",
    "documents.print_document": "the document is set before its entry is written",
    "handover_review.assess_handover": "reads",
    "idempotency.use_once": "runs in the transaction of the request's view",
    "letters.post_letter": "a channel is asked between two transactions",
    "overrides.assess_under": "reads",
    "overrides.digest_to_sign": "reads",
    "signatures.find_begun": "reads",
}
"""Actions that an interface calls, with the reason why they open no transaction."""


def test_every_action_that_an_interface_calls_is_one_transaction() -> None:
    folder = ROOT / "dispensary"
    sources = [path.read_text() for path in folder.rglob("*.py") if not path.is_relative_to(folder / "actions")]
    called = {name for source in sources for name in re.findall(r"(?<!def )\b((?:\w+\.)?\w+)\(", source)}
    open_actions = set()
    for path in (folder / "actions").glob("*.py"):
        for function in ast.parse(path.read_text()).body:
            if not isinstance(function, ast.FunctionDef) or function.name.startswith("_"):
                continue
            name = f"{path.stem}.{function.name}"
            acts = {"by", "now"} <= {argument.arg for argument in function.args.kwonlyargs}
            if (
                acts
                and called & {name, function.name}
                and not re.search(r"transactions?\.atomic", ast.unparse(function))
            ):
                open_actions.add(name)
    open_actions -= {"overrides.sign_answers"}  # interfaces have functions of this name
    assert open_actions == set(IN_NO_TRANSACTION_OF_THEIR_OWN)


def test_neither_rules_nor_actions_nor_models_ask_the_clock() -> None:
    rooms = [f"dispensary/{room}" for room in ("models", "actions", "reminders", "documents")]
    loose = [
        ROOT / "dispensary" / f"{name}.py"
        for name in ("assessment", "record", "policies", "actors", "scanning", "text")
    ]
    asked = []
    for path in [*modules("baclofen_rules", *rooms), *(path for path in loose if path.exists())]:
        for node in ast.walk(ast.parse(path.read_text())):
            asks = isinstance(node, ast.Call) and tuple(ast.unparse(node.func).split(".")[-2:]) in CLOCK_CALLS
            if asks:
                asked.append(f"{name_of(path)}:{node.lineno}")
    assert asked == []


def test_doors_write_nothing_themselves() -> None:
    """A door calls an action. Serializers' and forms' own `save` and `create` do not exist here either."""
    written = []
    doors = [*modules("dispensary/api", "dispensary/counter", "dispensary/management")]
    doors += [path for path in (ROOT / "dispensary" / "tasks.py", ROOT / "dispensary" / "admin.py") if path.exists()]
    for path in doors:
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                not isinstance(node, ast.Call)
                or not isinstance(node.func, ast.Attribute)
                or node.func.attr not in WRITES
            ):
                continue
            if "objects" in ast.unparse(node.func.value) or node.func.attr in {"save", "bulk_create"}:
                written.append(f"{name_of(path)}:{node.lineno} {ast.unparse(node.func)}")
    assert written == []


COMPUTED_FROM_SUPPLIES = re.compile(
    r"run_?out|uncovered|cover_end|covered_until|last_covered|days_(supply|left|covered)|left_days|gap_days|(dose|mg|taken)_on"
    r"|doses_of_(day|today)|on_day$|running_mg|next_change|held_since|(due|earliest)_on|refill_due|relation_of|^_?relate"
    r"|(end|start)_of_course|course_of"
)
"""Names of functions that say what a patient takes on a day, from which supply, until when, or when the next is due."""
NOT_COMPUTED = {
    "baclofen_rules/supply.py": {"days_supply", "run_out_on", "cover_end"},  # of the first case format
    "baclofen_rules/fills.py": {"running_mg"},  # its look-back
    "baclofen_rules/regimen.py": {"on_day"},  # of a regimen alone
    "baclofen_rules/course_words.py": {"days_left"},  # to a day that the therapy names, in words
    "dispensary/audit/checks/live.py": {"_last_covered"},  # of a log by its checkpoints
    "baclofen_rules/review.py": {"_course_of_hand_over"},  # what the therapy says, as part of the review
    "dispensary/counter/choices.py": {"relation_of"},  # of the assessment, as the therapy says it
    "dispensary/migrations/0013_relations_of_supplies.py": {"_relation_of"},  # the same, for older rows
}
FIRST_FORMAT = {f"baclofen_rules/{name}.py" for name in ("supply", "fills", "terms", "review")}


def test_what_a_patient_takes_is_computed_in_the_therapy_alone() -> None:
    computed = {}
    for path in [*modules("baclofen_rules", "dispensary", "deploy"), *(ROOT / "dispensary/migrations").glob("*.py")]:
        if path.is_relative_to(ROOT / "baclofen_rules" / "therapy"):
            continue
        functions = {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
        names = {name for name in functions if COMPUTED_FROM_SUPPLIES.search(name)}
        if names != NOT_COMPUTED.get(name_of(path), set()):
            computed[name_of(path)] = names
    assert computed == {}


def test_a_therapy_is_read_through_its_surface_and_cover_is_counted_for_the_first_format_alone() -> None:
    inside, counting = [], []
    for path in modules("baclofen_rules", "dispensary", "deploy"):
        if path.is_relative_to(ROOT / "baclofen_rules" / "therapy"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            inside += [name_of(path) for name in names if name.startswith("baclofen_rules.therapy.")]
            if isinstance(node, ast.ImportFrom) and node.module == "baclofen_rules.supply":
                computed = {alias.name for alias in node.names} & {"days_supply", "run_out_on", "cover_end"}
                counting += [name_of(path)] if computed else []
    assert inside == []
    assert set(counting) <= FIRST_FORMAT


LONGEST_COUNTDOWN = 300  # seconds


def published_for_later(source: str) -> list[int]:
    """The lines that put a task off in the broker: by an `eta`, or a `countdown` that is not a number of at most five minutes."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "eta"
        or (
            keyword.arg == "countdown"
            and not (isinstance(keyword.value, ast.Constant) and 0 <= keyword.value.value <= LONGEST_COUNTDOWN)
        )
    ]


def test_what_is_put_off_is_a_row_and_no_message_in_the_broker() -> None:
    published = {
        name_of(path): lines for path in modules(*PACKAGES) if (lines := published_for_later(path.read_text()))
    }
    assert published == {}


@pytest.mark.parametrize(
    ("call", "caught"),
    [
        ("send.apply_async(eta=due)", True),
        ("send.apply_async(countdown=301)", True),
        ("send.apply_async(countdown=days * 86400)", True),
        ("self.retry(countdown=3600)", True),
        ("send.apply_async(countdown=300)", False),
        ("send.apply_async(queue='rem-send', expires=60)", False),
    ],
)
def test_a_message_put_off_would_be_found(call: str, caught: bool) -> None:
    assert bool(published_for_later(call)) is caught


def test_amounts_are_never_floats() -> None:
    floats = []
    for path in modules("baclofen_rules", "dispensary/models", "dispensary/actions", "dispensary/reminders"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
                floats.append(f"{name_of(path)}:{node.lineno}")
            if isinstance(node, ast.Attribute) and node.attr == "FloatField":
                floats.append(f"{name_of(path)}:{node.lineno}")
    assert floats == []


def test_nothing_is_left_unfinished() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
    left = [
        f"{name_of(path)}:{number}"
        for path in tracked("*.py")
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if marks.search(line)
    ]
    assert left == []


def test_the_tree_names_no_registry() -> None:
    names = re.compile(r"https?://(pypi\.org|files\.pythonhosted\.org|registry\.npmjs\.org|deb\.debian\.org)")
    suffixes = {".py", ".txt", ".in", ".toml", ".json", ".md", ".sh", ".yml", ".yaml", ".lock", ""}
    named = [
        name_of(path)
        for path in tracked()
        if path != Path(__file__) and path.suffix in suffixes and names.search(path.read_text(errors="replace"))
    ]
    assert named == []


def test_every_pin_has_its_hash() -> None:
    for lock in sorted((ROOT / "deploy" / "requirements").glob("*.txt")):
        pins = re.findall(r"^([a-zA-Z0-9_.\[\]-]+)==.*?(?=^\S|\Z)", lock.read_text(), re.MULTILINE | re.DOTALL)
        blocks = re.split(r"^(?=[a-zA-Z0-9])", lock.read_text(), flags=re.MULTILINE)
        bare = [
            block.split("==")[0] for block in blocks if "==" in block.split("\n")[0] and "--hash=sha256:" not in block
        ]
        assert pins, lock
        assert bare == [], lock


def test_the_readme_of_a_folder_is_one_page() -> None:
    words = {name_of(path): len(path.read_text().split()) for path in tracked("*/README.md")}
    assert words and {name: count for name, count in words.items() if count > 250} == {}


def commands_of_readmes() -> list[tuple[str, str]]:
    """The commands that a README shows in its indented or fenced blocks: `make …`, `python -m …`, `manage.py …`."""
    commands = []
    for readme in sorted(
        [
            ROOT / "README.md",
            ROOT / "CONTRIBUTING.md",
            *ROOT.glob("deploy/*.md"),
            *ROOT.glob("dispensary/**/README.md"),
        ]
    ):
        if readme.exists() and "node_modules" not in readme.parts:
            for line in readme.read_text().splitlines():
                command = re.match(
                    r"^(?:    |\$ )?(?:\S*/)?((?:make|python -m|python manage\.py|manage\.py|\./manage\.py) .+?)(?:\s{2,}#.*| #.*)?$",
                    line,
                )
                if command:
                    commands.append((name_of(readme), command[1]))
    return commands


@pytest.mark.parametrize(("readme", "command"), commands_of_readmes())
def test_commands_in_readmes_exist(readme: str, command: str) -> None:
    from django.core.management import get_commands

    words = command.split()
    if words[0] == "make":
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        named_targets = {word for word in words[1:] if "=" not in word and re.fullmatch(r"[a-z-]+", word)}
        assert named_targets <= targets
    elif "manage.py" in command:
        assert words[words.index(next(word for word in words if word.endswith("manage.py"))) + 1] in get_commands()
    else:
        module = words[2]
        if module.split(".")[0] in {*PACKAGES, "tests"}:
            path = ROOT / Path(*module.split("."))
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()
