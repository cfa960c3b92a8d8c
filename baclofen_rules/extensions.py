"""Rules and profiles of other installed packages, by their entry points.

A package names modules under `baclofen_rules.rules` (each has a RULE or RULES, and beside it a TOML file of the same name with their numbers) and under
`baclofen_rules.profiles` (each has profile files in its folder).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

RULES: Final = "baclofen_rules.rules"
PROFILES: Final = "baclofen_rules.profiles"


class InvalidExtension(Exception):
    """Rules or profiles of another package that cannot be used. The text is one line that names it."""


class Extension(NamedTuple):
    """A module that an installed package names."""

    package: str
    """Name and version of the package."""
    module: ModuleType
    file: Path


@cache
def extensions(group: str) -> tuple[Extension, ...]:
    """Return the modules of a group, by name. Raises InvalidExtension for one that cannot be imported: no rule is left out in silence."""
    from importlib.metadata import entry_points  # only here: importing the rule book stays quick
    from pathlib import Path

    modules = []
    for point in sorted(entry_points(group=group)):
        try:
            module = point.load()
            file = Path(module.__file__)
        except Exception as error:  # whatever a package of somebody else raises
            raise InvalidExtension(f"{point.name} = {point.value!r} of {group} cannot be used: {error}") from error
        package = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        modules.append(Extension(package, module, file))
    return tuple(modules)


def rules_digest() -> str:
    """Return eight digits for the names and versions of the packages that bring rules; empty without any."""
    import hashlib  # as above

    packages = "\n".join(f"{extension.package} {extension.module.__name__}" for extension in extensions(RULES))
    return hashlib.sha256(packages.encode()).hexdigest()[:8] if packages else ""
