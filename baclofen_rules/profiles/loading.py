"""Reading of profile files; a number without date or citation is refused with its place."""

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NoReturn

from baclofen_rules.extensions import PROFILES, extensions
from baclofen_rules.findings import Citation, Severity
from baclofen_rules.medicines import BACLOFEN, OwnMedicine, own_medicine
from baclofen_rules.profiles import InvalidProfile, Profile, Section
from baclofen_rules.profiles.limits import Ages, Entry, Parameter, Value

HERE: Final = Path(__file__).parent
FORMAT: Final = "baclofen-profile/1"
MARKS: Final = {
    "C": "the five source documents of Lioresal",
    "F": "found in public material",
    "K": "general knowledge, not looked up",
    "D": "a design default of ours; no source gives the number",
}
TABLES: Final = ("sources", "terms", "rules")
HEAD: Final = (
    "format",
    "medicine",
    "extends",
    "name",
    "title",
    "author",
    "checker",
    "checked_on",
    "next_review",
    *TABLES,
)
ListNumbers = Callable[[str], Iterable[Path]]
"""Gives the files with the numbers of other packages' rules, for a medicine."""
Needed = Mapping[str, Iterable[str]]
"""Names of the numbers by section: ``terms``, and the code of each rule."""
DEFAULT: Final = "lioresal"
"""The parent of a profile that extends none that ships."""
BASE: Final = ("base", "sources")
"""Files beside the profiles that are none."""
ENTRY: Final = ("value", "unit", "from", "ages", "mark", "source", "where", "note")
NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def profile_files(folder: Path | str | None = None) -> dict[str, Path]:
    """Names and files of the profiles that ship, of those of other packages, and of those in a site's own folder; none may hide another."""
    files = {path.stem: path for path in sorted(HERE.glob("*.toml")) if path.stem not in BASE}
    folders = [extension.file.parent for extension in extensions(PROFILES)]
    if folder is not None:
        folders.append(Path(folder))
    for place in folders:
        if not place.is_dir():
            raise InvalidProfile(str(place), "no such folder", "a folder with profile files (*.toml)")
        for path in sorted(place.glob("*.toml")):
            if path.stem in files:
                raise InvalidProfile(str(path), path.stem, "a name that no profile has yet")
            if path.stem not in BASE:
                files[path.stem] = path
    return files


def read_profile(
    name: str,
    folder: Path | str | None = None,
    on: date | None = None,
    needed: Needed | None = None,
    list_numbers: ListNumbers = lambda _: (),
) -> Profile:
    """The profile of that name. Raises InvalidProfile, which says where.

    ``needed`` names the numbers of every section. What a site's own profile lacks of them comes from its parent: the shipped
    profile that it extends, or the default one. ``list_numbers`` gives the files of other packages' rules.
    """
    files = profile_files(folder)
    if name not in files:
        raise InvalidProfile("profile", name, f"one of {', '.join(sorted(files))}")
    return _Reader(files[name], files, needed or {}, list_numbers).profile(on)


class _Reader:
    """Reads one file; every refusal names the file and the place in it."""

    def __init__(self, path: Path, files: Mapping[str, Path], needed: Needed, list_numbers: ListNumbers) -> None:
        self.path, self.files = path, files
        self.contents: dict[Path, dict[str, Any]] = {}
        """The files of the profile as they are, its own first."""
        self.sources = _toml(HERE / "sources.toml")
        self.parent = "" if path.parent == HERE else DEFAULT
        self.content = self._content(path, ())
        if self.content.get("medicine", BACLOFEN) != BACLOFEN:
            self.parent = ""  # no number of another medicine stands in
        for numbers in list_numbers(self.content.get("medicine", BACLOFEN)):
            self._add_numbers(numbers)
        self.fallbacks = tuple(self._fall_back(needed)) if self.parent else ()

    def profile(self, on: date | None) -> Profile:
        head = self.content
        self._known(head, HEAD, "")
        for name, source in self._table(head.get("sources", {}), "sources").items():
            if name in self.sources:
                self._refuse(f"sources.{name}", name, "a name that the shared sources do not use")
            self.sources[name] = self._table(source, f"sources.{name}")
        if head.get("format") != FORMAT:
            self._refuse("format", head.get("format"), FORMAT)
        name = self._text(head, "name", "")
        if name != self.path.stem or not NAME.fullmatch(name):
            self._refuse("name", name, f"the name of the file, in lower case: {self.path.stem}")
        author, checker = self._text(head, "author", ""), self._text(head, "checker", "")
        if author.casefold() == checker.casefold():
            self._refuse("checker", checker, "somebody other than the author")
        terms = self._section(self._table(head.get("terms", {}), "terms"), "terms")
        rules = self._table(head.get("rules", {}), "rules")
        sections = {code: self._section(self._table(rules[code], f"rules.{code}"), f"rules.{code}") for code in rules}
        return Profile(
            name=name,
            title=self._text(head, "title", ""),
            author=author,
            checker=checker,
            checked_on=None if head.get("checked_on") is None else self._day(head, "checked_on", ""),
            next_review=self._day(head, "next_review", ""),
            digest=_digest(head, terms, sections),
            terms=terms,
            sections=sections,
            on=on,
            parent=self.parent,
            fallbacks=self.fallbacks,
            medicine=self._medicine(),
        )

    def _medicine(self) -> OwnMedicine:
        """Return the medicine that the profile names, by the table that ships or one beside the profile, in ``medicines``."""
        name = self.content.get("medicine", BACLOFEN)
        folder = self.path.parent / "medicines"
        if not isinstance(name, str) or not NAME.fullmatch(name):
            self._refuse("medicine", name, "the name of a medicine, in lower case")
        try:
            return own_medicine() if name == BACLOFEN else own_medicine(name, folder)
        except OSError:
            self._refuse("medicine", name, f"{BACLOFEN}, or a medicine with a table {folder / name}.toml")
        except (tomllib.TOMLDecodeError, KeyError) as error:
            self._refuse(
                "medicine", f"{folder / name}.toml: {error}", "a table with medicine.atc, class, names and written"
            )

    def _add_numbers(self, path: Path) -> None:
        """Take the numbers of another package's rules, where the profile has none of its own."""
        content = self.contents[path] = _toml(path)
        for code, numbers in self._table(content.get("rules", {}), "rules").items():
            own = self._section_table(self.content, code)
            own.update(self._table(numbers, f"rules.{code}") | own)
        sources = self._table(content.get("sources", {}), "sources")
        self.content["sources"] = sources | self._table(self.content.get("sources", {}), "sources")

    def _fall_back(self, needed: Needed) -> Iterator[str]:
        """Take what no file of the profile has from its parent; yields the places."""
        parent = self._content(HERE / f"{self.parent}.toml", ())
        for code, names in needed.items():
            place = "terms" if code == "terms" else f"rules.{code}"
            own, of_parent = self._section_table(self.content, code), self._section_table(parent, code)
            lacking = [name for name in names if name not in own and name in of_parent]
            if not own and code != "terms":
                own.update(of_parent)
                yield place
            else:
                own.update({name: of_parent[name] for name in lacking})
                yield from (f"{place}.{name}" for name in lacking)

    def _section_table(self, content: dict[str, Any], code: str) -> dict[str, Any]:
        """The table of a section inside of a file's content, made where there is none."""
        if code == "terms":
            return self._table(content.setdefault("terms", {}), "terms")
        rules = self._table(content.setdefault("rules", {}), "rules")
        return self._table(rules.setdefault(code, {}), f"rules.{code}")

    def _content(self, path: Path, below: tuple[Path, ...]) -> dict[str, Any]:
        """Return a file with the numbers of the profile that it extends, where it has none of its own."""
        content = self.contents[path] = _toml(path)
        name = content.pop("extends", None)
        if name is None:
            return content
        beside = path.with_name("base.toml")  # a kept copy brings its own
        files = {**self.files, "base": beside if beside.exists() else HERE / "base.toml"}
        if name not in files or files[name] in (path, *below):
            self._refuse("extends", name, f"one of {', '.join(sorted(files))}, and not itself")
        if files[name].parent == HERE and name not in BASE and self.parent:
            self.parent = name
        base = self._content(files[name], (path, *below))
        own, of_base = content.get("medicine", BACLOFEN), base.get("medicine", BACLOFEN)
        if "medicine" in content and own != of_base:
            self._refuse("extends", name, f"a profile of {own}; this one is of {of_base}")
        rules = self._table(content.get("rules", {}), "rules")
        base_rules = self._table(base.get("rules", {}), "rules")
        merged = {
            code: base_rules.get(code, {}) | self._table(rules.get(code, {}), f"rules.{code}")
            for code in base_rules | rules
        }
        return content | {
            "medicine": content.get("medicine", of_base),
            "rules": merged,
            "terms": base.get("terms", {}) | self._table(content.get("terms", {}), "terms"),
            "sources": base.get("sources", {}) | self._table(content.get("sources", {}), "sources"),
        }

    def _section(self, table: Mapping[str, Any], place: str) -> Section:
        basis = tuple(
            self._citation(
                self._table(cited, f"{place}.basis[{index}]"), f"{place}.basis[{index}]", ("mark", "source", "where")
            )
            for index, cited in enumerate(self._rows(table.get("basis", []), f"{place}.basis"))
        )
        parameters = {
            name: self._parameter(self._rows(rows, f"{place}.{name}"), f"{place}.{name}")
            for name, rows in table.items()
            if name != "basis"
        }
        section = Section(parameters, basis)
        if not section.citations and place != "terms":
            self._refuse(place, "no citation", "a basis, or parameters with their citations")
        return section

    def _parameter(self, rows: list[Any], place: str) -> Parameter:
        entries = tuple(self._entry(self._table(row, f"{place}[{i}]"), f"{place}[{i}]") for i, row in enumerate(rows))
        if not entries:
            self._refuse(place, "no entry", "at least one entry")
        if len({(entry.ages, entry.since) for entry in entries}) != len(entries):
            self._refuse(place, "two entries for the same ages from the same day", "one of them")
        return Parameter(place, entries)

    def _entry(self, row: Mapping[str, Any], place: str) -> Entry:
        return Entry(
            value=self._value(row.get("value"), f"{place}.value"),
            unit=self._text(row, "unit", place),
            since=self._day(row, "from", place),
            ages=None if row.get("ages") is None else self._ages(row["ages"], f"{place}.ages"),
            citation=self._citation(row, place, ENTRY),
            note=self._text(row, "note", place) if "note" in row else "",
        )

    def _citation(self, row: Mapping[str, Any], place: str, names: tuple[str, ...]) -> Citation:
        self._known(row, names, place)
        mark, source = self._text(row, "mark", place), self._text(row, "source", place)
        if mark not in MARKS:
            self._refuse(f"{place}.mark", mark, "one of " + ", ".join(f"{m} ({words})" for m, words in MARKS.items()))
        if source not in self.sources:
            self._refuse(f"{place}.source", source, "a source that the sources table describes")
        title = self.sources[source].get("title")
        if not isinstance(title, str) or not title:
            self._refuse(f"sources.{source}.title", title, "a title")
        return Citation(mark, title, self._text(row, "where", place))

    def _value(self, value: Any, place: str) -> Value:
        if value == "none":
            return None
        if isinstance(value, str) and value in set(Severity):
            return Severity(value)
        if isinstance(value, list):
            if value and all(isinstance(code, str) for code in value):
                return tuple(value)
            return tuple(self._number(number, f"{place}[{index}]") for index, number in enumerate(value))
        return self._number(value, place)

    def _number(self, value: Any, place: str) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
            self._refuse(place, value, 'a number, a list of numbers, a severity or "none"')
        return Decimal(value)

    def _ages(self, value: Any, place: str) -> Ages:
        if not isinstance(value, list) or not 1 <= len(value) <= 2:
            self._refuse(place, value, "[from years] or [from years, up to years]")
        low = self._number(value[0], place)
        high = self._number(value[1], place) if len(value) == 2 else None
        if low < 0 or (high is not None and high <= low):
            self._refuse(place, value, "ages from low to high, from 0 years")
        return Ages(low, high)

    def _text(self, table: Mapping[str, Any], name: str, place: str) -> str:
        value = table.get(name)
        if not isinstance(value, str) or not value.strip():
            self._refuse(f"{place}.{name}" if place else name, value, "text")
        return value

    def _day(self, table: Mapping[str, Any], name: str, place: str) -> date:
        value = table.get(name)
        if type(value) is not date:
            self._refuse(f"{place}.{name}" if place else name, value, "a date, unquoted: 2026-11-22")
        return value

    def _table(self, value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self._refuse(place, value, "a table")
        return value

    def _rows(self, value: Any, place: str) -> list[Any]:
        if not isinstance(value, list):
            self._refuse(place, value, "a list of tables")
        return value

    def _known(self, table: Mapping[str, Any], names: tuple[str, ...], place: str) -> None:
        for name in table:
            if name not in names:
                self._refuse(f"{place}.{name}" if place else name, "an unknown name", f"one of {', '.join(names)}")

    def _refuse(self, place: str, given: Any, expected: str) -> NoReturn:
        text = "nothing" if given is None else str(given)[:80] or "an empty text"
        raise InvalidProfile(f"{self._file_of(place).name}: {place}", text, expected)

    def _file_of(self, place: str) -> Path:
        """Return the file in which a number or basis stands; the profile's own for every other place."""
        match = re.match(r"rules\.([\w-]+)\.(\w+)|terms\.(\w+)", place)
        if match is None:
            return self.path
        code, number, term = match.groups()
        for path, content in self.contents.items():
            if term in content.get("terms", {}) or number in content.get("rules", {}).get(code, {}):
                return path
        return self.path


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InvalidProfile(str(path), str(error), "a readable TOML file") from None


def _digest(head: Mapping[str, Any], terms: Section, sections: Mapping[str, Section]) -> str:
    """SHA-256 over the content in one spelling: names in order, amounts plain, citations in full."""
    content = {name: str(head[name]) for name in sorted(head) if name not in TABLES}
    whole = {
        "head": content,
        "terms": _spelt(terms),
        "rules": {code: _spelt(section) for code, section in sections.items()},
    }
    text = json.dumps(whole, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _spelt(section: Section) -> dict[str, Any]:
    spelt: dict[str, Any] = {
        name: sorted(json.dumps(_spelt_entry(entry), sort_keys=True) for entry in parameter.entries)
        for name, parameter in section.parameters.items()
    }
    return {"basis": [citation.to_json() for citation in section.basis], "parameters": spelt}


def _spelt_entry(entry: Entry) -> dict[str, Any]:
    value = entry.value
    return {
        "value": [_plain(element) for element in value] if isinstance(value, tuple) else _plain(value),
        "unit": entry.unit,
        "from": entry.since.isoformat(),
        "ages": None if entry.ages is None else [_plain(entry.ages.low), _plain(entry.ages.high)],
        "citation": entry.citation.to_json(),
        "note": entry.note,
    }


def _plain(value: Decimal | str | None) -> str:
    if value is None:
        return "none"
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)
