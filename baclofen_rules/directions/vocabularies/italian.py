"""Italian."""

from baclofen_rules.directions.tokens import Kind as K
from baclofen_rules.directions.tokens import Vocabulary, number_words
from baclofen_rules.medicines import names_written_in

_MEDICINE = "|".join(names_written_in("it"))

ITALIAN = Vocabulary(
    language="it",
    foreign=r"\bà\b|[âêîôûçñ]",
    unclear_lengths=frozenset({"otto", "quindici"}),
    words={
        **number_words("un|una|uno due tre quattro cinque sei sette otto nove dieci", {}),
        (K.PART, "0.5"): "[una|un] (mezza|mezzo), meta",
        (K.PART, "0.25"): "un quarto di, un quarto",
        (K.PART, "0.75"): "tre quarti di, tre quarti",
        (K.AND_PART, "0.5"): "e (mezza|mezzo)",
        K.MG: "mg, milligrammo, milligrammi",
        K.TABLET: "compressa, compresse, compressa/e, cpr, cp, compr",
        K.TIMES: "volte, volta, v",
        K.X: "x",
        K.PER_DAY: "(al|/) (giorno|di), / die, al di, per die, in 24 ore, nelle 24 ore, / 24 ore, / (24h|24 h)",
        K.DAILY: "giornalmente, quotidianamente",
        (K.DAILY, 1): "ogni giorno, tutti i giorni",
        (K.DAYS, 1): "giorni, giorno, gg, g, primi giorni",
        (K.DAYS, 7): "settimane, settimana, sett, prime settimane",
        K.EVERY: "ogni",
        K.HOURS: "ore, ora, h",
        (K.PERIODIC, 7): "ogni settimana, settimanalmente, alla settimana",
        (K.SLOT, 8): "[la|alla|al|di|ogni] (mattina|mattino), [a|prima di|dopo] colazione, al risveglio",
        (K.SLOT, 12): "[a] mezzogiorno, [a|prima di|dopo] pranzo",
        (K.SLOT, 15): "[il|nel|di] pomeriggio",
        (K.SLOT, 18): "[la|alla|di|ogni] sera, [a|prima di|dopo] cena",
        (
            K.SLOT,
            22,
        ): "prima di (coricarsi|dormire|andare a letto), al momento di coricarsi, [la|di|alla|ogni] notte, la sera (prima di coricarsi|al momento di coricarsi|prima di dormire), al bisogno di dormire",
        K.AT: "alle, alle ore, alle h",
        K.PRN: "al bisogno, se necessario, in caso di (spasmi|dolore|necessita|bisogno), se (dolore|spasmi)",
        K.UP_TO: "fino a",
        K.MAX: "max, massimo, non superare, non piu di, senza superare, al massimo",
        K.MAX_DAILY: "dose massima giornaliera, dose massima (al giorno|die)",
        K.DOSES: "somministrazioni, dosi, assunzioni",
        K.INTO: "in, [suddivisi|suddivisa|divisi|divisa|ripartiti] in",
        K.THEN: "[e] (poi|quindi|successivamente), in seguito, e dopo",
        (K.CHANGE, 1): "[poi|e|e poi] (aumentare|incrementare|aumentando)",
        (K.CHANGE, -1): "[poi|e|e poi] (ridurre|diminuire|riducendo|scalare)",
        K.TO: "a, ad",
        K.BY: "di",
        K.UNTIL: "fino ad arrivare a, fino a raggiungere",
        K.ZERO: "zero, sospensione, sospendere",
        K.DAILY_DOSE: "[la] dose (giornaliera|totale|quotidiana)",
        K.EACH_DOSE: "(per|ogni|a) (dose|somministrazione|singola dose)",
        K.THE_DOSE: "la dose",
        K.FOR: "per, per altri, per altre, per i successivi",
        K.FIRST: "[per] (i|le) [primi|prime]",
        K.FROM: "dal, dalla, a partire dal, da",
        K.ONWARDS: "in poi",
        K.AFTER: "dopo",
        K.STOP: "(poi|e|quindi|e poi) (stop|sospendere|interrompere|fine)",
        K.CONTINUES: "poi continuare con una nuova ricetta",
        K.OPEN_END: "[e] continuare, in cronico, cronico, terapia cronica, continuativamente, a tempo indeterminato",
        K.UNTIL_FINISHED: "fino alla fine della confezione",
        K.START: "iniziare con, iniziare, inizio con, cominciare con",
        K.AND: "e, ed",
        K.BRAND: f"({_MEDICINE}) [compresse|cpr]",
        K.NOISE: "prendere, assumere, da assumere, os, per os, x os, po, per via orale, via orale, orale, per bocca,"
        "(ai|durante i|dopo i|prima dei|con i|lontano dai) pasti, a stomaco pieno, con acqua, con un bicchiere d'acqua, con del cibo, con cibo",
    },
    advice=r"non (?:sospendere|interrompere)(?: il trattamento| la terapia)?(?: bruscamente| improvvisamente)?(?= ?(?:[.,;]|$))"
    r"|per (?:la |gli |il )?(?:spasticita|spasmi|dolore|rigidita)(?: muscolari| muscolare)?",
)
