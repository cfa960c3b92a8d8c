"""German, as it is written in Germany, Austria and Switzerland; umlauts arrive as "u" or "ue"."""

from baclofen_rules.directions.tokens import OWN_NAMES, Vocabulary
from baclofen_rules.directions.tokens import Kind as K
from baclofen_rules.directions.vocabularies.numbers import number_words

_UP = "steigern, erhohen, erhoehen, steigerung, erhohung, aufdosieren"
_DOWN = "reduzieren, senken, verringern, reduktion, vermindern"

GERMAN = Vocabulary(
    language="de",
    foreign=r"\bà [0-9]{1,2} ?h",
    counts_before_dose=True,
    verb_is_last=True,
    at_hour=K.BY,
    unclear_lengths=frozenset({"acht"}),
    words={
        **number_words(
            "ein|eine|einen|eins|einer zwei drei vier funf|fuenf sechs sieben acht neun zehn",
            {
                "anderthalb, eineinhalb, einundeinhalb": "1.5",
                "zweieinhalb, zweiundeinhalb": "2.5",
                "dreieinhalb": "3.5",
            },
        ),
        (K.PART, "0.5"): "[eine|ein] (halbe|halbes|halben|halb)",
        (K.PART, "0.25"): "[eine|ein] viertel",
        (K.PART, "0.75"): "dreiviertel, drei viertel",
        K.MG: "mg, milligramm",
        K.TABLET: "tablette, tabletten, tablette(n), tabl, tbl, tab, stuck, stueck, stk, st",
        K.TIMES: "mal",
        K.X: "x",
        K.PER_DAY: "am tag, pro tag, je tag, / (tag|d|24h|24 h|24 std|24 stunden), in 24 (std|stunden|h), pro 24 (std|stunden|h)",
        K.DAILY: "taglich, taeglich, tagl, taegl, tgl",
        (K.DAILY, 1): "jeden tag",
        (K.DAYS, 1): "tag, tage, tagen, (tage|tagen) lang, d",
        (K.DAYS, 7): "woche, wochen, (woche|wochen) lang, wo",
        **{
            (K.ONCE, times): word
            for times, word in enumerate(
                ("einmal", "zweimal", "dreimal", "viermal", "funfmal, fuenfmal", "sechsmal"), start=1
            )
        },
        K.EVERY: "alle",
        K.HOURS: "h",
        (K.HOURS, 1): "stunden, stunde, std",
        K.HOURLY: "stundlich, stuendlich, stdl",
        (K.PERIODIC, 7): "wochentlich, woechentlich, jede woche, pro woche",
        (
            K.SLOT,
            8,
        ): "morgens, fruh, frueh, (morgens|am morgen) fruh, am morgen, (zum|vor dem|nach dem|zu dem) (fruhstuck|fruehstueck), jeden morgen",
        (K.SLOT, 12): "mittags, mittag, am mittag, (zum|vor dem|nach dem) mittagessen",
        (K.SLOT, 15): "nachmittags, nachmittag, am nachmittag",
        (K.SLOT, 18): "abends, abend, am abend, (zum|vor dem|nach dem) abendessen, jeden abend",
        (
            K.SLOT,
            22,
        ): "nachts, zur nacht, zn, vor dem (schlafen|schlafengehen|schlafen gehen|zubettgehen), (abends|am abend) vor dem (schlafen|schlafengehen|schlafen gehen|zubettgehen), jede nacht",
        K.OCLOCK: "uhr",
        K.PRN: "bei bedarf, b. bed, bb, bei (spastik|schmerzen|spasmen|krampfen|kraempfen|muskelkrampfen), falls (notig|noetig|erforderlich), wenn (notig|noetig)",
        K.REASON: "wegen (spastik|schmerzen|spasmen|krampfen|kraempfen|muskelkrampfen)",
        K.UP_TO: "bis zu, bis",
        K.MAX: "hochstdosis, hoechstdosis, max, maximal, hochstens, hoechstens, nicht mehr als",
        K.MAX_DAILY: "tageshochstdosis, tageshoechstdosis, (max|maximale) tagesdosis, maximaldosis pro tag, max pro tag",
        K.DOSES: "einzeldosen, einzelgaben, gaben, dosen, einzeldosis",
        K.INTO: "in, verteilt auf, aufgeteilt auf, aufgeteilt in, verteilt in",
        K.THEN: "dann, danach, anschliessend, im anschluss, und dann, hernach",
        **{(K.CHANGE, value): words for value, words in ((1, _UP), (-1, _DOWN))},
        K.TO: "auf",
        K.BY: "um",
        K.UNTIL: "bis auf, bis zur dosis von, bis auf eine dosis von",
        K.ZERO: "null, zum absetzen",
        K.DAILY_DOSE: "[die|der] tagesdosis, [die] tagesdosis um",
        K.EACH_DOSE: "(pro|je) (dosis|einzeldosis|gabe|einzelgabe), jede (dosis|einzeldosis), die einzeldosis",
        K.THE_DOSE: "die dosis",
        K.FOR: "fur, fuer, fur die (nachsten|naechsten), uber, ueber, fur weitere, weitere",
        K.FIRST: "die ersten, fur die ersten, in den ersten, die erste",
        K.FROM: "ab, ab dem, ab der, von, vom, an",
        K.AFTER: "nach",
        K.STOP: "(dann|danach|und|und dann|anschliessend) (absetzen|beenden|stopp|stoppen|aus|ende)",
        K.CONTINUES: "dann weiter mit neuem rezept",
        K.OPEN_END: "weiter, dauermedikation, als dauermedikation, bis auf weiteres, dauerhaft, weiterhin, dauertherapie",
        K.UNTIL_FINISHED: "bis zum ende der packung",
        K.START: "(dosierung|dosis|einnahme) :, weiter mit, weiterhin mit",
        (K.START, 1): "beginn, beginn mit, beginnen mit, zunachst, zunaechst, anfangs, start mit, start",
        K.AND: "und, u",
        K.OF: "zu, a",
        K.BRAND: f"({OWN_NAMES}) [tabletten|tabl|tbl]",
        K.NOISE: "einnehmen, einzunehmen, nehmen, bitte, oral, po, peroral, per os, je, jeweils, unzerkaut, durch den mund, zum einnehmen, nehmen sie,"
        "(zum|nach dem|vor dem|mit dem) essen, (zu|nach|vor|mit) [den] (mahlzeiten|mahlzeit), mit (flussigkeit|fluessigkeit|wasser|milch|etwas wasser|ausreichend flussigkeit|nahrung|etwas flussigkeit)",
    },
    advice=r"(?:unzerkaut|ganz) (?:mit (?:etwas |einem glas )?wasser )?(?:schlucken|einnehmen)|mit einem glas wasser|(?:kein|nicht) auto fahren"
    r"|(?:kontrolle|wiedervorstellung) in (?:[0-9]{1,2}|einer?m?|zwei|drei|vier|sechs) (?:tagen|wochen?|monate?n?)"
    r"|nicht (?:plotzlich|ploetzlich|abrupt) absetzen|kann mude machen|kann muede machen|(?:nicht (?:zusammen |gleichzeitig )?mit|kein|keinen|ohne) alkohol(?: (?:ein|zu )?(?:nehmen|trinken))?"
    r"|(?:gegen|wegen) (?:die )?(?:spastik|spasmen|muskelkrampfe|krampfe|schmerzen)",
)
