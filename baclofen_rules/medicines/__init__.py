"""Which interaction classes a medicine belongs to, by ATC code and by name; the classes stand in ``classes.toml``, and the medicine that a profile is about in a table of its own.

Code and name count both: when they disagree, each class that either of them names is found. A medicine is unclassified when
neither is known, when its code is not a well-formed code of an existing group, or when the code is too short to tell.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

BACLOFEN: Final = "baclofen"
"""The table of a medicine is called by its name."""
LANGUAGES: Final = ("en", "es", "fr", "de", "it")
"""Languages in which directions name a medicine."""
_ATC: Final = re.compile(r"[A-Z]\d\d([A-Z]([A-Z](\d\d)?)?)?", re.ASCII)
_WORDS: Final = re.compile(r"[^\W\d_]+")
_SHORTEST_NAME: Final = 5
"""Letters of a name in free text; "acid" stands there for other things too."""
_LIGATURES: Final = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "ł": "l", "đ": "d"})


class Medicine(NamedTuple):
    """Another medicine the patient takes; a name, an ATC code, or both."""

    name: str | None
    atc: str | None


class InteractionClass(NamedTuple):
    """One class of medicines; ``effect`` is the short phrase of a summary."""

    code: str
    title: str
    effect: str
    mechanism: str
    advice: str
    dur: str
    detected_issue: str
    atc: tuple[str, ...]
    not_atc: tuple[str, ...]
    names: frozenset[tuple[str, ...]]
    mark: str
    source: str
    where: str
    is_depressant: bool
    """Whether its medicines slow the nervous system, and are counted."""

    def has_code(self, atc: str) -> bool:
        """Return whether an ATC code falls under a prefix of the class and under no excepted one."""
        return atc.startswith(self.atc) and not atc.startswith(self.not_atc)

    def may_have_code(self, atc: str) -> bool:
        """Return whether a code too short to tell could turn out to be of the class."""
        return any(prefix.startswith(atc) and prefix != atc for prefix in self.atc)


class Form(NamedTuple):
    """A form other than a plain tablet."""

    kind: str
    title: str
    words: frozenset[str]
    brands: frozenset[str]
    """Brands of the medicine in this form."""


@dataclass(frozen=True, eq=False)
class OwnMedicine:
    """The medicine that a profile is about, as its table has it; each is made once and equal to itself alone."""

    name: str
    atc: str
    interaction_class: str
    """The interaction class that the medicine belongs to itself."""
    names: frozenset[str]
    written: Mapping[str, tuple[str, ...]]
    """The names that directions in a language call its plain tablets by."""
    relatives: frozenset[str]
    """Other medicines with a like name and the same effect."""
    codes: frozenset[str]
    forms: tuple[Form, ...]
    allergens: tuple[tuple[frozenset[str], frozenset[str]], ...]
    """Pairs of the brands that hold an allergen and its words."""
    uses: tuple[Mapping[str, Any], ...]
    not_a_use: frozenset[str]


@cache
def own_medicine(name: str = BACLOFEN, folder: "Path | None" = None) -> OwnMedicine:
    """Return the medicine of a table that ships, or of one in a site's folder. Raises OSError, or KeyError for a name that it lacks."""
    content = read_table(name, folder)
    medicine, brands = content["medicine"], content.get("brands", {})
    return OwnMedicine(
        name=name,
        atc=medicine["atc"],
        interaction_class=medicine["class"],
        names=frozenset(word for written in medicine["names"] for word in words(written)),
        written={language: tuple(medicine["written"][language]) for language in LANGUAGES},
        relatives=frozenset(medicine.get("relatives", ())),
        codes=frozenset(code for codes in content.get("codes", {}).values() for code in codes),
        forms=tuple(
            Form(row["kind"], row["title"], frozenset(row["words"]), frozenset(brands.get(row["kind"], ())))
            for row in read_table("forms")["form"]
        ),
        allergens=tuple((frozenset(row["brands"]), frozenset(row["words"])) for row in content.get("allergen", ())),
        uses=tuple(content.get("use", ())),
        not_a_use=frozenset(content.get("not_a_use", {}).get("words", ())),
    )


class Table(NamedTuple):
    """``classes.toml`` as it is used."""

    classes: Mapping[str, InteractionClass]
    by_name: Mapping[tuple[str, ...], tuple[str, ...]]
    longest_name: int
    harmless: frozenset[str]
    packaging: frozenset[str]
    atc_groups: frozenset[str]
    stems: re.Pattern[str]
    """Endings that name a medicine which the table does not list."""


@cache
def table() -> Table:
    """The classes, read once."""
    content = read_table("classes")
    classes = {row["code"]: _interaction_class(row) for row in content["class"]}
    by_name: dict[tuple[str, ...], tuple[str, ...]] = {}
    for code, medicine_class in classes.items():
        for name in medicine_class.names:
            by_name[name] = (*by_name.get(name, ()), code)
    return Table(
        classes=classes,
        by_name=by_name,
        longest_name=max(len(name) for name in by_name),
        harmless=frozenset(word for name in content["no_class"]["names"] for word in words(name)),
        packaging=frozenset(content["packaging"]["words"]),
        atc_groups=frozenset(content["atc"]["groups"]),
        stems=re.compile(rf"[a-z]{{3,}}(?:{'|'.join(content['stems']['endings'])})(?:e|um|a|o)?"),
    )


@cache
def read_table(name: str, folder: "Path | None" = None) -> dict[str, Any]:
    """Return the content of a TOML table beside this file, or in a site's folder, read once."""
    import tomllib  # only here: importing the rule book stays quick
    from pathlib import Path

    return tomllib.loads(((folder or Path(__file__).parent) / f"{name}.toml").read_text(encoding="utf-8"))


def interaction_classes() -> Mapping[str, InteractionClass]:
    """The interaction classes by rule code."""
    return table().classes


@cache
def depressant_codes() -> tuple[str, ...]:
    """Codes of the classes whose medicines slow the nervous system."""
    return tuple(code for code, medicine_class in interaction_classes().items() if medicine_class.is_depressant)


def names_of_classes(interacting: Mapping[str, tuple[str, ...]], codes: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the medicines of some classes, each once; ``interacting`` has the names by class."""
    return tuple(dict.fromkeys([name for code in codes if code in interacting for name in interacting[code]]))


def words(text: str) -> tuple[str, ...]:
    """The words of a name in one spelling: without case, accents, digits and punctuation."""
    return tuple(_WORDS.findall(plain_letters(text)))


def plain_atc(atc: str) -> str:
    """Return an ATC code in capitals and without blanks."""
    return "".join(atc.split()).upper()


def classify(
    medicines: Sequence[Medicine], own_course: bool, own: OwnMedicine
) -> tuple[Mapping[str, tuple[str, ...]], tuple[str, ...]]:
    """Names of the medicines by interaction code, and the names of those that cannot be classified.

    With ``own_course`` the medicine itself on the list is the course under review and belongs to no class.
    """
    by_code: dict[str, list[str]] = {}
    unclassified: list[str] = []
    for medicine in medicines:
        name = medicine.name or medicine.atc or ""
        codes, is_known, is_own = classes_of(medicine, own)
        if is_own and own_course:
            continue
        for code in codes:
            by_code.setdefault(code, []).append(name)
        if not is_known:
            unclassified.append(name)
    return {code: tuple(names) for code, names in by_code.items()}, tuple(unclassified)


@lru_cache(maxsize=4096)
def classes_of(medicine: Medicine, own: OwnMedicine) -> tuple[tuple[str, ...], bool, bool]:
    """Codes of the classes a medicine belongs to, whether it could be classified, and whether it is the profile's own."""
    classes: dict[str, None] = {}
    known_by_code = known_by_name = False
    odd_code = False
    atc = None if medicine.atc is None else plain_atc(medicine.atc)
    if atc is not None:
        if not _ATC.fullmatch(atc) or atc[:3] not in table().atc_groups:
            odd_code = True
        else:
            for code, medicine_class in table().classes.items():
                if medicine_class.has_code(atc):
                    classes[code] = None
                elif medicine_class.may_have_code(atc):
                    odd_code = True
            known_by_code = not odd_code
    name_words = () if medicine.name is None else words(medicine.name)
    for code in _codes_by_name(name_words):
        classes[code] = None
        known_by_name = True
    is_own = atc == own.atc or any(word in own.names for word in name_words)
    if is_own:
        classes[own.interaction_class] = None
    if not known_by_name and not odd_code:
        known_by_name = _is_harmless(name_words)
    is_own_only = is_own and set(classes) <= {own.interaction_class}
    return tuple(sorted(classes)), bool(classes) or known_by_code or known_by_name, is_own_only


@lru_cache(maxsize=1024)
def names_own_medicine(text: str, own: OwnMedicine) -> bool:
    """Return whether a text names the medicine or one of its brands, misspelt by a letter or two included."""
    return any(is_near(word, name) for word in words(text) for name in own.names)


def find_other_medicine(text: str, own: OwnMedicine) -> tuple[int, int] | None:
    """Return the place where plain lower-case ``text`` first names another medicine, by the table or by the ending of its name."""
    places = list(_WORDS.finditer(text))
    medicine_table = table()
    for at, place in enumerate(places):
        word = place[0]
        for end in range(at + 1, min(at + medicine_table.longest_name, len(places)) + 1):
            name = tuple(match[0] for match in places[at:end])
            if name in medicine_table.by_name and own.names.isdisjoint(name):
                return place.start(), places[end - 1].end()
        if word not in own.names and (
            (len(word) >= _SHORTEST_NAME and word in medicine_table.harmless) or medicine_table.stems.fullmatch(word)
        ):
            return place.span()
    return None


@lru_cache(maxsize=1024)
def holds_allergen(brand: str, own: OwnMedicine) -> bool:
    """Return whether a brand is one that holds an allergen, misspelt by a letter or two included."""
    return any(is_near(word, name) for word in words(brand) for brands, _ in own.allergens for name in brands)


@lru_cache(maxsize=1024)
def names_allergen(allergy: str, own: OwnMedicine) -> bool:
    """Return whether an allergy is one to an allergen of a brand."""
    return any(not allergen.isdisjoint(words(allergy)) for _, allergen in own.allergens)


def is_near(word: str, name: str) -> bool:
    """Return whether a word is a name, give or take two letters from eight letters on; shorter names are too like others."""
    if word == name:
        return True
    return len(name) >= 8 and abs(len(word) - len(name)) <= 2 and _distance(word, name) <= 2


def _distance(word: str, name: str) -> int:
    """Letters to insert, delete or replace to get from one word to the other."""
    row = list(range(len(name) + 1))
    for i, letter in enumerate(word, start=1):
        above, row[0] = row[0], i
        for j, target in enumerate(name, start=1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (letter != target))
    return row[-1]


def _codes_by_name(name_words: tuple[str, ...]) -> Iterable[str]:
    by_name, longest = table().by_name, table().longest_name
    for start in range(len(name_words)):
        for end in range(start + 1, min(start + longest, len(name_words)) + 1):
            yield from by_name.get(name_words[start:end], ())


def _is_harmless(name_words: tuple[str, ...]) -> bool:
    """Return whether every word is a medicine without a class, or says nothing but how it is packed."""
    telling = [word for word in name_words if word not in table().packaging]
    return bool(telling) and all(word in table().harmless for word in telling)


def plain_letters(text: str) -> str:
    """Return a text in small letters without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_LIGATURES))
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign))


def _interaction_class(row: Mapping[str, Any]) -> InteractionClass:
    return InteractionClass(
        code=row["code"],
        title=row["title"],
        effect=row["effect"],
        mechanism=row["mechanism"],
        advice=row["advice"],
        dur=row["dur"],
        detected_issue=row["detected_issue"],
        atc=tuple(row["atc"]),
        not_atc=tuple(row.get("not_atc", ())),
        names=frozenset(words(name) for name in row["names"]),
        mark=row["mark"],
        source=row["source"],
        where=row["where"],
        is_depressant=row.get("is_depressant", False),
    )
