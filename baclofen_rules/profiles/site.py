"""Help for a site's own profile: the beginning of a file, and what a file that was read says."""

from collections.abc import Iterator

from baclofen_rules.profiles import Profile
from baclofen_rules.profiles.loading import FORMAT


def summarize(profile: Profile) -> Iterator[str]:
    """Yield lines on a profile: its numbers, how many of them want a signature, its review, and what comes from its parent."""
    entries = [
        entry
        for section in (profile.terms, *profile.sections.values())
        for parameter in section.parameters.values()
        for entry in parameter.in_force(max(profile.changes))
    ]
    unsigned = sum(entry.citation.mark in {"D", "K"} for entry in entries)
    yield f"{profile.name}: {len(profile.sections)} rules, {len(entries)} values in force from {profile.changes[0]}."
    yield f"{unsigned} of them have no source (marks D and K) and want a pharmacist's signature."
    yield f"Next review {profile.next_review}, checked by: {profile.checker}."
    for place in profile.fallbacks:
        yield f"From {profile.parent}, since this profile does not have it: {place}"


def begin_profile(name: str, parent: Profile) -> str:
    """Return the beginning of a profile that extends another, with an example of a number that differs."""
    return f'''# What differs from {parent.name}: copy an entry, change its value, and say where the new one comes from.
# Check it with: python -m baclofen_rules profiles --folder FOLDER check {name}

format = "{FORMAT}"
extends = "{parent.name}"
name = "{name}"
title = "Numbers of this site, on top of: {parent.title}"
author = "Name of the author"
checker = "Name of the pharmacist who checks it"
next_review = {parent.next_review}

# [[terms.max_mg_per_day]]
# value = 80
# unit = "mg/day"
# from = {max(parent.changes)}
# ages = [18]
# mark = "D"
# source = "design"
# where = "why this site's number differs"'''
