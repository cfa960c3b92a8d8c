"""Orders that the story leaves in the queue for whoever tries the pages, and the packs to scan for them."""

from datetime import date, timedelta

import segno

from deploy.demo.people import TEN_MG, TWENTY_FIVE_MG
from deploy.demo.story import Story


def leave_waiting(story: Story) -> None:
    """Take in a dose above the maximum, a supply of which half is owed, and a trap of the wrong strength."""
    story.title("Left for you", "Olga Petrov, 35 mg three times a day after 100 mg a day")
    above = story.order(35, 28, 294)
    order = story.receive("Olga", "Petrov", above, [story.supply(27, 0, 0, doses=[35, 30, 35])])
    story.expect_finding(order, "daily-maximum")
    story.say("Sign in as paul: F8 answers, then scan the 10 mg pack.")

    story.title("Left for you", "Ruth Amari, 84 tablets of 10 mg, of which the shelf has 42 today")
    order = story.receive("Ruth", "Amari", story.order(10, 28, 84), [story.supply(27, 10, 3)])
    story.hand_over(story.technician, order, 42)
    answer = story.technician.get(f"prescriptions/{order['id']}/")
    story.expect(
        answer.body.get("status") == "active", f"42 tablets are owed ({answer.status} {answer.body.get('status')})"
    )
    story.say("The queue shows her under Owing.")

    story.title("Left for you", "Ivo Lang, 10 mg tablets; take the 25 mg pack first")
    story.receive("Ivo", "Lang", story.order(10, 28, 84), [story.supply(27, 10, 3)])
    story.say("The 25 mg pack is held back, the 10 mg pack goes through.")


def print_packs(today: date) -> None:
    """Print the number of each pack to type, and its code to scan from the screen."""
    expiry = (today + timedelta(days=700)).replace(day=1)
    for name, gtin in (("10 mg", TEN_MG), ("25 mg", TWENTY_FIVE_MG)):
        print(f"\nLioresal {name} tablets, pack of 100. Type {gtin}, or scan:")
        link = f"https://id.gs1.org/01/{gtin}/10/B2209?17={expiry:%y%m%d}"
        segno.make(link, error="l", micro=False).terminal(compact=True)
