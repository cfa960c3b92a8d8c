"""Spanish, as it is written in Spain and in America."""

from baclofen_rules.directions.tokens import OWN_NAMES, Vocabulary
from baclofen_rules.directions.tokens import Kind as K
from baclofen_rules.directions.vocabularies.numbers import number_words

SPANISH = Vocabulary(
    language="es",
    foreign="[àèìòùâêîôûç]",
    changes_by=True,
    unclear_lengths=frozenset({"ocho", "quince"}),
    needs_company=frozenset({"manana"}),
    words={
        **number_words("un|una|uno|otro|otra dos tres cuatro cinco seis siete ocho nueve diez", {}),
        (K.PART, "0.5"): "[un|una] (medio|media)",
        (K.PART, "0.25"): "un cuarto de, un cuarto",
        (K.PART, "0.75"): "tres cuartos de, tres cuartos",
        (K.AND_PART, "0.5"): "y (medio|media)",
        K.MG: "mg, miligramo, miligramos",
        (K.TABLET, 1): "comprimido, tableta, pastilla",
        K.TABLET: "comprimidos, comprimido(s), comp, compr, cp, tabletas, tableta(s), tab, tabs, pastillas",
        K.TIMES: "veces, vez, v",
        K.X: "x",
        K.PER_DAY: "(al|por|/) dia, / d, / (24h|24 horas), al d, en (24 h|24 horas|24h), por 24 horas, en el dia",
        K.DAILY: "diario, diaria, diarios, diarias, diariamente",
        (K.DAILY, 1): "cada dia, todos los dias",
        (K.DAYS, 1): "dias, dia, dia(s), d, primeros dias",
        (K.DAYS, 7): "semanas, semana, sem, semana(s), primeras semanas",
        K.EVERY: "cada, c /, c",
        K.HOURS: "horas, hora, h, hrs",
        (K.PERIODIC, 7): "cada semana, semanalmente, a la semana",
        (
            K.SLOT,
            8,
        ): "manana, (por la|en la|cada|de) (manana|mananas), por las mananas, [al|en el|en|con el|antes del|despues del|despues de] desayuno, al (levantarse|despertar)",
        (
            K.SLOT,
            12,
        ): "[al|a] (mediodia), [al|en el|con el|antes del|despues del] almuerzo, [en la|a la|con la] comida, al medio dia",
        (K.SLOT, 15): "[por la|a la|en la] tarde, [a la|en la] merienda, por las tardes",
        (K.SLOT, 18): "[a la|en la|con la|antes de la|despues de la|en] cena",
        (
            K.SLOT,
            22,
        ): "[por la|en la|de|cada] noche, por las noches, al acostarse, antes de (acostarse|dormir), (por la noche|noche) (al acostarse|antes de acostarse|antes de dormir), a la hora de (dormir|acostarse)",
        K.AT: "a las, a la",
        K.MEALS: "con cada comida",
        K.PRN: "si precisa, si [hay|tiene] dolor, a demanda, si (es necesario|fuera necesario|necesita|necesario), en caso (necesario|de necesidad|de dolor|de espasmos), si espasmos, si presenta dolor, segun (necesidad|sea necesario), cuando sea necesario",
        K.REASON: "(por|para) (dolor|espasmos|espasticidad|el dolor|los espasmos|la espasticidad)",
        K.UP_TO: "hasta",
        K.MAX: "max, maximo, como maximo, no superar, no mas de, sin superar, no exceder, no exceder de, sin exceder, maximo de, con un maximo de",
        K.MAX_DAILY: "dosis maxima (diaria|al dia), maximo diario",
        K.DOSES: "tomas, dosis, tomas iguales, dosis iguales",
        K.INTO: "en, [repartido|repartidos|repartida|repartidas|dividido|divididos|dividida|divididas] en",
        K.THEN: "[y] (luego|despues|a continuacion|posteriormente), seguido de, y seguir con, [luego|despues|y] continuar con",
        (K.CHANGE, 1): "[luego|despues|y] (aumentar|subir|incrementar|aumentando|subiendo)",
        (K.CHANGE, -1): "[luego|despues|y] (bajar|reducir|disminuir|reduciendo|disminuyendo|bajando)",
        K.TO: "a",
        K.BY: "de",
        K.UNTIL: "hasta alcanzar, hasta llegar a, hasta una dosis de",
        K.ZERO: "cero, suspender, retirar, suspenderlo, retirada",
        K.DAILY_DOSE: "[la] dosis (diaria|total|total diaria)",
        K.EACH_DOSE: "(por|cada|en cada) (toma|dosis)",
        K.THE_DOSE: "la dosis",
        K.FOR: "durante, por, durante otros, durante los siguientes, durante otras",
        K.FIRST: "[durante] (los|las) [primeros|primeras]",
        K.FROM: "a partir del, a partir de, a partir de la, desde el, desde la, desde",
        K.ONWARDS: "en adelante",
        K.AFTER: "despues de, tras, al cabo de",
        K.STOP: "(y|luego|despues|y luego|y despues) (suspender|retirar|parar|suspenderlo|dejar de tomar)",
        K.CONTINUES: "luego continuar con una nueva receta",
        K.OPEN_END: "[y] continuar, indefinido, indefinidamente, cronico, tratamiento cronico, de forma indefinida, de forma continua, y seguir igual",
        K.UNTIL_FINISHED: "hasta terminar el envase",
        K.START: "(pauta|posologia|dosis) :, seguir con, mantener",
        (K.START, 1): "iniciar con, empezar con, comenzar con, iniciar, empezar por, inicio con",
        K.AND: "y, e",
        K.BRAND: f"({OWN_NAMES}) [comprimidos|tabletas|comp]",
        K.NOISE: "tomar, tome, tomese, administrar, por favor, vo, via oral, por via oral, oral, por [la] boca, po, ingerir,"
        f"de ({OWN_NAMES}),"
        "(con|despues de|tras|antes de|durante) (las|los) (comidas|alimentos), con (alimento|alimentos|comida|agua|leche|un vaso de agua|abundante agua), despues de comer, con las comidas principales",
    },
    advice=r"(?:revision|control) (?:en|dentro de) (?:[0-9]{1,2}|una?|dos|tres|cuatro|seis) (?:dias|semanas?|mes(?:es)?)"
    r"|no (?:suspender|interrumpir|dejar)(?: el tratamiento| la medicacion)?(?: de forma)?(?: bruscamente| brusca| repentinamente| de golpe)?(?= ?(?:[.,;]|$))"
    r"|puede (?:producir|causar|dar) (?:sueno|somnolencia|mareo)|no conducir(?: si (?:tiene|nota) sueno)?|(?:evitar (?:el )?|no (?:tomar|beber|mezclar) (?:con )?)alcohol"
    r"|(?:para|por) (?:el |la |los |las )?(?:espasticidad|espasmos|dolor|rigidez|calambres)(?: musculares| muscular)?",
)
