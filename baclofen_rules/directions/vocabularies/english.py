"""The English of prescriptions, in Britain and in the United States."""

from baclofen_rules.directions.tokens import OWN_NAMES, Vocabulary
from baclofen_rules.directions.tokens import Kind as K
from baclofen_rules.directions.vocabularies.numbers import number_words

ENGLISH = Vocabulary(
    language="en",
    foreign=r"\bà\b",
    decimal_comma=False,
    clock_hours=False,
    night_in_capitals="ON",
    words={
        **number_words(
            "one two three four five six seven eight nine ten _ twelve _ fourteen fifteen _ _ _ _ twenty",
            {
                "twenty one, twenty-one": 21,
                "twenty five, twenty-five": 25,
                "twenty eight, twenty-eight": 28,
                "thirty": 30,
                "i": 1,
                "ii": 2,
                "iii": 3,
            },
        ),
        K.ARTICLE: "a, an",
        (K.PART, "0.5"): "[a|an|one|one-] half [of] [a|an]",
        (K.PART, "0.25"): "[a|an|one|one-] quarter [of] [a|an]",
        (K.PART, "0.75"): "three (quarters|-quarters) [of] [a|an]",
        (K.AND_PART, "0.5"): "and (a|one|one-) half",
        K.MG: "mg, mgs, milligram, milligrams, milligramme, milligrammes",
        K.TABLET: "tab, tabs, tab(s), tablet, tablets, tablet(s), pill, pills, pill(s)",
        K.TIMES: "times, time",
        K.X: "x",
        K.PER_DAY: "(a|per|each|every) day, / (day|d|24h|24 h|24hrs|24 hours|24 hrs), in (a|1|one) day, (per|/) (1|one) day, in (24 hours|24 hour|24 hrs|24h|24 h|any 24 hours), per 24 (hours|hour|hrs|h), every 24 hours period",
        K.DAILY: "daily, qday, q day",
        (K.DAILY, 1): "(every|each) day",
        K.DAY: "day, d",
        (K.DAYS, 1): "days, day(s), nights, night(s)",
        (K.DAYS, 7): "week, weeks, week(s), wk, wks, w",
        (K.DAYS, 14): "fortnight, fortnights",
        (K.ONCE, 1): "once",
        (K.ONCE, 2): "twice",
        (K.ONCE, 3): "thrice",
        (K.OFTEN, 2): "bd, bds, bid",
        (K.OFTEN, 3): "tds, tid, ter die",
        (K.OFTEN, 4): "qds, qid",
        K.OD: "od",
        K.EVERY: "every, each, q",
        K.HOURS: "hour, hours, hr, hrs, h, hrly",
        K.HOURLY: "hourly, hrly",
        (K.PERIODIC, 7): "weekly, (every|each|per) week",
        (K.PERIODIC, 14): "fortnightly, (every|each|per) fortnight",
        (
            K.SLOT,
            8,
        ): "[in|at|with|on|each|every|before|after] [the] (morning|mornings|morning meal|mane|breakfast|breakfast time|breakfasttime|waking|wakening), first thing in the morning,"
        "[in] [the] (am|qam|q am), om, om mane, [in] [the] mane",
        (
            K.SLOT,
            12,
        ): "[in|at|with|before|after|each|every|q] [the] (midday|mid-day|mid day|noon|lunch|lunchtime|lunch time|lunch-time|midday meal)",
        (K.SLOT, 15): "[in|each|every] [the] (afternoon|afternoons)",
        (
            K.SLOT,
            18,
        ): "[in|at|with|before|after|each|every] [the] (evening|evenings|evening meal|teatime|tea time|tea-time|supper|suppertime|supper time|dinner|dinnertime|dinner time),"
        "[in] [the] (pm|qpm|q pm)",
        (
            K.SLOT,
            22,
        ): "[at|in|on|each|every|before] [the] (night|nights|nocte|noct|bedtime|bed time|bed-time|bed|going to bed),"
        "nightly, last thing at night, hs, (at|@) hs, qhs, q hs, on nocte, at (night|bedtime|bed time) before bed",
        K.AT: "at, @",
        K.OCLOCK: "o'clock",
        K.MEALS: "(with|w/|after|before|at) [each|every] (meals|meal), at (mealtimes|mealtime|meal times|meal time)",
        K.PRN: "prn, [only] (as|when|if|where) (needed|required|necessary), (as|if) and when (needed|required)",
        K.REASON: "[for] [muscle|painful|leg|severe|acute] (spasm|spasms|spasticity|stiffness|cramp|cramps|pain)",
        K.UP_TO: "up to",
        K.MAX: "max, maximum, max of, maximum of, max dose, max dose of, maximum dose, maximum dose of, (no|not) more than, at most,"
        "(do not|not to|don't) exceed, not exceeding, up to a (maximum|max) of, up to (maximum|max), do not take more than, not to be exceeded",
        K.MAX_DAILY: "mdd, mdd =, (max|maximum) daily (dose|amount) [of|is|=], (max|maximum) (dose|amount) daily",
        K.DOSES: "[equally|equal] [divided] doses, doses",
        K.INTO: "in, as, divided into, divided in, split into, in to, into",
        K.DIVIDED: "divided, split, in divided doses",
        K.THEN: "[and] (then|after that|after which|followed by) [continue|carry on|continue with|continue on|continue at|carry on with|carry on at]",
        K.THEREAFTER: "[and] (thereafter|afterwards) [continue|continue with]",
        **{
            (K.CHANGE, value): ", ".join(f"[and|then|and then] {verb} [{ways}]" for verb in verbs.split())
            for value, verbs, ways in (
                (1, "increase increasing increased raise raising", "up"),
                (-1, "reduce reducing reduced decrease decreasing decreased taper tapering lower lowering", "down"),
            )
        },
        (
            K.CHANGE,
            0,
        ): "[and|then|and then] (increase|increasing|raise|titrate|titrating|step|go) down, [and|then|and then] (reduce|decrease|taper|lower) up,"
        "[and|then|and then] (titrate|titrating|step|stepping|go)",
        K.TO: "to",
        K.BY: "by",
        K.HEADING: "(taper|tapering|reducing|reduction|titration|titrating) [schedule|course|regimen|regime|dose] :",
        K.UNTIL: "until, until (on|at|reaching|it is), down to, to reach, up until, till, until a dose of",
        K.ZERO: "zero, nil, stopped, off",
        K.DAILY_DOSE: "[the] [total] (daily|day's) (dose|total|amount)",
        K.EACH_DOSE: "(each|every) [single] dose",
        K.THE_DOSE: "[the] dose",
        K.FOR: "for, over, for (the next|the following|next|another|a further|further|one further)",
        K.FIRST: "for [the] first, [the] first",
        K.FROM: "from, on",
        K.ONWARDS: "onwards, onward, and after, +",
        K.AFTER: "after, after the first, after another, after a further",
        K.STOP: f"[and|then|and then] (stop|stopping|discontinue|cease|off) [it|altogether|completely|taking it|treatment|{OWN_NAMES}],"
        "and then off, then off",
        K.CONTINUES: "then continue with a new prescription, to be continued",
        K.OPEN_END: "[and] (continue|continuing|to continue|ongoing|long term|long-term|indefinitely), for life, lifelong, as maintenance, maintenance, regular, regularly, scheduled,"
        "[and|continue] until (further notice|reviewed|review|told otherwise), [and] continue (at|on) this dose",
        K.UNTIL_FINISHED: "until finished",
        K.START: "(dose|dosage|directions|instructions) :, dose (increased|decreased|reduced|changed) [:] now, continue with, continue on",
        (
            K.START,
            1,
        ): "start, begin, start with, begin with, starting, starting with, start at, start on, initially, commence",
        K.AND: "and, &",
        K.OF: "of",
        K.TOTAL: "total, in total",
        K.BRAND: f"({OWN_NAMES}) [tab|tabs|tablet|tablets]",
        K.TO_BE_TAKEN: "to be taken",
        K.NOISE: "taken, take, taking, tk, to take, give, swallow, swallowed, please, pls, sig, rx, orally, oral, po, by mouth, per os, [by|via] oral route,"
        "[by] the oral route, via the mouth, whole, (with|w/|after|before|with or after|with or just after|just after) [a|some] (food|milk|snack|glass of water|food or milk|water),"
        "with plenty of water, with a full glass of water, (with|with or after|with or just after) (food|food or) (a|or a) meal, with or just after food or a meal, pc, ac, pc and hs pc",
        (K.EACH_DOSE, "per"): "per dose, / dose, (off|from|to) (each|every) dose",
    },
    advice=r"warning:? (?:(?:this medicine|it) )?may make you sleepy(?:\.? ?if this happens,? do not drive(?: or use tools or machines)?)?"
    r"|(?:this medicine |it |this )?(?:may|can|might) (?:cause|make you) (?:drowsiness|dizziness|drowsy|sleepy|sleepiness|sedation|drowsiness (?:and|or) dizziness|dizziness (?:and|or) drowsiness)(?: or drowsiness)?"
    r"|if (?:affected|this happens|drowsy|sleepy),? do not drive(?: or (?:use|operate) (?:tools or machines|tools|machines|machinery|tools or machinery))?"
    r"|do not (?:drive|operate machinery|drive or (?:use|operate) (?:tools or machines|machinery|tools|machines))(?: if (?:affected|drowsy|sleepy|you feel (?:drowsy|sleepy)))?"
    r"|(?:with|take with|to be taken with) or (?:just )?after food,? or a meal|(?:do not drink|avoid|no|do not take with|not with|do not drink any)(?: any)? alcohol(?:ic drinks?)?(?: with this medicine| while taking(?: this medicine| it)?)?"
    rf"|(?:do not|don't|never) stop (?:taking )?(?:(?:this|this medicine|this medication|it|{OWN_NAMES}|these tablets|the tablets|your tablets) )?(?:suddenly|abruptly|without (?:medical advice|speaking to your doctor|consulting (?:your|a) doctor|talking to your doctor)"
    r"|unless (?:your|a|the) doctor (?:tells|says|advises|told)(?: you(?: to)?)?(?: to)?(?: stop)?(?: so)?)"
    rf"|do not stop (?:taking )?(?:this|this medicine|this medication|it|{OWN_NAMES}|these tablets|the tablets)(?= ?(?:[.,;]|$))"
    r"|swallow (?:this medicine |the tablets? |tablets? )?whole|do not chew(?: or crush)?"
    r"|(?:for|indications? ?:?) (?:the )?(?:relief of |treatment of |management of )?(?:(?:severe|muscle|leg|night|nocturnal|painful|limb|lower limb|chronic|muscular|back|neck|ms|your|my) )*(?:spasms?|spasms?\(s\)|spasticity|stiffness|cramps?|pain|tightness|tone)"
    r"(?:(?: and| or| and/or|/|,) ?(?:(?:muscle|leg|night|painful) )?(?:spasms?|spasticity|stiffness|cramps?|pain))?"
    r"(?: (?:due to|from|of|in|with|secondary to|related to|caused by|associated with) (?:the )?(?:multiple sclerosis|ms|(?:spinal )?cord injury|sci|stroke|cva|cerebral palsy|cp|mnd|legs?|back|neck|limbs?|motor neurone disease))?"
    r"(?: ?\((?:ms|multiple sclerosis|sci|cp|cerebral palsy|stroke|cva)\))?"
    r"|for (?:multiple sclerosis|ms|cerebral palsy)"
    r"|(?:please )?(?:for )?(?:gp |clinic |dose |medication )?(?:to )?review(?:ed)?(?: date:?)? (?:(?:in|after) (?:[0-9]{1,2}|one|two|three|four|five|six|a|an) (?:weeks?|months?|days?)(?: time)?|at (?:the )?next (?:appointment|visit|clinic|review))"
    r"|keep out of (?:the )?(?:sight and )?reach of children"
    r"|(?:(?:in|as) (?:a )?)?blister packs?",
)
