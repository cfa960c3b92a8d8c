"""French."""

from baclofen_rules.directions.tokens import OWN_NAMES, Vocabulary
from baclofen_rules.directions.tokens import Kind as K
from baclofen_rules.directions.vocabularies.numbers import number_words

FRENCH = Vocabulary(
    language="fr",
    part_behind_unit=True,
    at_hour=K.TO,
    unclear_lengths=frozenset({"huit"}),
    clash=(frozenset({"dejeuner", "diner"}), frozenset({"matin", "soir"})),
    words={
        **number_words("un|une deux trois quatre cinq six sept huit neuf dix", {}),
        (K.PART, "0.5"): "[un|une] (demi|demie) [-], la moitie d'un",
        (K.PART, "0.25"): "un quart de, un quart, le quart d'un",
        (K.PART, "0.75"): "trois quarts de, trois quarts",
        (K.AND_PART, "0.5"): "et (demi|demie)",
        K.MG: "mg, milligramme, milligrammes",
        K.TABLET: "comprime, comprimes, comprime(s), cp, cpr, comp",
        K.TIMES: "fois",
        K.X: "x",
        K.PER_DAY: "(par|/|chaque) jour, / j, par j, (par|/|en) 24 (h|heures), par 24h, / 24h, le jour",
        K.DAILY: "quotidien, quotidiennement, quotidienne",
        (K.DAILY, 1): "tous les jours",
        (K.DAYS, 1): "jours, jour, j, jour(s), (premiers|prochains) jours",
        (K.DAYS, 7): "semaines, semaine, sem, semaine(s), (premieres|prochaines) semaines",
        K.EVERY: "toutes les, tous les, chaque",
        K.HOURS: "heures, heure, h",
        (K.PERIODIC, 7): "chaque semaine, par semaine, toutes les semaines",
        (
            K.SLOT,
            8,
        ): "[le|chaque|tous les] (matin|matins), (au|avec le|avant le|apres le) petit (dejeuner|dej|-dejeuner|- dejeuner), petit dejeuner, petit-dejeuner, au (reveil|lever)",
        (K.SLOT, 12): "[a|le] midi, [au|avec le|avant le|apres le] dejeuner",
        (K.SLOT, 15): "[l'] (apres-midi|apres midi), l'apres-midi, au gouter, gouter, dans l'apres-midi",
        (K.SLOT, 18): "[le|chaque|tous les] (soir|soirs), [au|avec le|avant le|apres le] diner",
        (
            K.SLOT,
            22,
        ): "[au|avant le|avant] coucher, au moment du coucher, [la|chaque] nuit, le soir (au|avant le) coucher, le soir au moment du coucher, avant de (dormir|se coucher)",
        K.PRN: "si besoin, a la demande, si (douleur|douleurs|spasmes|necessaire|contractures), en cas de (besoin|douleur|douleurs|spasmes|contractures)",
        K.REASON: "pour (douleur|douleurs|spasmes|la spasticite)",
        K.UP_TO: "jusqu'a",
        K.MAX: "max, maximum, sans depasser, ne pas depasser, au maximum, sans jamais depasser, maxi",
        K.MAX_DAILY: "dose (maximale|max) (journaliere|par jour|quotidienne), dose maximum par jour",
        K.DOSES: "prises, prise",
        K.INTO: "en, repartis en, reparties en, reparti en, repartie en, a repartir en, divises en, divisees en",
        K.THEN: "[et] (puis|ensuite), et apres",
        (K.CHANGE, 1): "augmenter, augmentation, puis augmenter",
        (K.CHANGE, -1): "diminuer, reduire, baisser, diminution, puis diminuer, puis reduire",
        K.TO: "a, au",
        K.BY: "de, d', par paliers de, par palier de",
        K.UNTIL: "jusqu'a atteindre, pour atteindre, jusqu'a une dose de",
        K.ZERO: "arret, arret complet, l'arret, l'arret complet, zero",
        K.DAILY_DOSE: "[la] dose (quotidienne|journaliere|totale)",
        K.EACH_DOSE: "par (prise|dose), chaque (prise|dose), par prise",
        K.THE_DOSE: "la dose, la posologie",
        K.FOR: "pendant, pdt, durant, pour, pendant encore",
        K.FIRST: "(pendant|les|pendant les|durant les) [premiers|premieres]",
        K.FROM: "a partir du, a partir de, a partir de la, des le, du",
        K.AFTER: "apres, au bout de",
        K.STOP: "(puis|et|ensuite|et puis) (arret|arreter|stop|arrete|arret complet)",
        K.CONTINUES: "puis continuer avec une nouvelle ordonnance",
        K.OPEN_END: "en continu, a poursuivre, au long cours, traitement continu, continuer",
        K.UNTIL_FINISHED: "jusqu'a la fin de la boite",
        K.START: "(posologie|dose|dosage) :, poursuivre, poursuivre avec, continuer avec",
        (K.START, 1): "debuter par, debuter, commencer par, commencer, debut",
        K.AND: "et",
        K.BRAND: f"({OWN_NAMES}) [comprimes|comprime|cp]",
        K.NOISE: "prendre, a prendre, po, per os, par voie orale, voie orale, orale, par la bouche, par bouche, avaler, a avaler,"
        "avec [un|un grand|un peu|de] (verre d'eau|peu d'eau|d'eau|l'eau), (au cours|au milieu|pendant|a la fin|au moment|lors) (des|du|les|le|de chaque) (repas),"
        "(avec|apres|avant) (les|le|la|chaque) (repas|nourriture), avec de la nourriture, apres repas, avec du lait",
    },
    advice=r"ne pas (?:arreter|interrompre)(?: le traitement)?(?: brutalement| brusquement)|ne pas (?:croquer|conduire)|(?:ne pas prendre avec|eviter|sans|pas d')(?: de)? ?(?:l')?alcool"
    r"|peut (?:provoquer|entrainer|causer) (?:une |de la |des )?(?:somnolences?|vertiges)"
    r"|(?:controle|a revoir) dans (?:[0-9]{1,2}|une?|deux|trois|quatre|six) (?:jours|semaines?|mois)"
    r"|(?:pour|contre) (?:la |les |des )?(?:spasticite|spasmes|contractures|douleurs)(?: musculaires)?",
)
