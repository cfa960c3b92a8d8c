"""The package of `tests/house_rules`, put beside others as an installer does."""

import shutil
import tomllib
from pathlib import Path

HOUSE = Path(__file__).parent / "house_rules"


def install_house(folder: Path) -> Path:
    """Put the package and its entry points into a folder of packages; returns its folder of metadata."""
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    shutil.copytree(HOUSE / "house_rules", folder / "house_rules", ignore=shutil.ignore_patterns("__pycache__"))
    information = folder / f"house_rules-{project['version']}.dist-info"
    information.mkdir()
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (information / "METADATA").write_text(head)
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in project["entry-points"].items()
    ]
    (information / "entry_points.txt").write_text("\n".join(lines))
    return information
