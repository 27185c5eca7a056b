"""The words for days, times and what was found in the languages of the pages, as the search knows them in English."""

from __future__ import annotations

import re

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
# In the order of these; a word with blanks is one that is written so.
_OTHERS = (
    "today", "yesterday", "day before yesterday", "morning", "afternoon", "evening", "night", "last night", "last week",
    "this week", "last month", "to", "since", "until", "nobody", "people", "reviewed", "false alarms",
)  # fmt: skip
_TABLE = {
    "de": (
        "montag dienstag mittwoch donnerstag freitag samstag sonntag",
        "januar februar märz april mai juni juli august september oktober november dezember",
        "heute|gestern|vorgestern|morgens|nachmittag|abend|nacht|letzte nacht|letzte woche|diese woche|letzten monat"
        "|bis|seit|bis zu|niemand|personen|geprüft|fehlalarme",
    ),
    "es": (
        "lunes martes miércoles jueves viernes sábado domingo",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "hoy|ayer|anteayer|por la mañana|tarde|atardecer|noche|anoche|la semana pasada|esta semana|el mes pasado"
        "|a|desde|hasta|nadie|personas|revisadas|falsas alarmas",
    ),
    "fr": (
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "aujourd'hui|hier|avant-hier|matin|après-midi|soir|nuit|la nuit dernière|la semaine dernière|cette semaine"
        "|le mois dernier|à|depuis|jusqu'à|personne|personnes|vérifiées|fausses alarmes",
    ),
    "it": (
        "lunedì martedì mercoledì giovedì venerdì sabato domenica",
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        "oggi|ieri|l'altro ieri|mattina|pomeriggio|sera|notte|stanotte|la settimana scorsa|questa settimana"
        "|il mese scorso|a|dal|fino a|nessuno|persone|controllate|falsi allarmi",
    ),
    "nl": (
        "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
        "januari februari maart april mei juni juli augustus september oktober november december",
        "vandaag|gisteren|eergisteren|ochtend|middag|avond|nacht|vannacht|vorige week|deze week|vorige maand"
        "|tot|sinds|tot en met|niemand|personen|beoordeeld|valse alarmen",
    ),
    "pt": (
        "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
        "hoje|ontem|anteontem|de manhã|tarde|noitinha|noite|a noite passada|a semana passada|esta semana|o mês passado"
        "|a|desde|até|ninguém|pessoas|revistas|falsos alarmes",
    ),
}
# What is written otherwise, or together.
_MORE = {
    "de": {
        "gestern abend": "yesterday evening", "gestern nacht": "yesterday night", "heute nacht": "tonight",
        "heute morgen": "this morning", "gestern morgen": "yesterday morning",
        "sonnabend": "saturday", "uhr": "o'clock",
    },
    "es": {"ayer noche": "yesterday night", "ayer por la noche": "yesterday night", "esta noche": "tonight"},
    "fr": {"hier soir": "yesterday evening", "cette nuit": "tonight",
           "aujourd\N{RIGHT SINGLE QUOTATION MARK}hui": "today"},
    "it": {"ieri sera": "yesterday evening", "questa notte": "tonight"},
    "nl": {"gisteravond": "yesterday evening", "vanavond": "this evening", "gisternacht": "yesterday night"},
    "pt": {"ontem à noite": "yesterday night", "esta noite": "tonight"},
}  # fmt: skip


def in_english(text: str, language: str) -> str:
    """Return a search with the words of a language for days and times in English; all other words stay."""
    known = _words(language)
    if not known:
        return text
    longest_first = sorted(known, key=len, reverse=True)
    pattern = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in longest_first)
    return re.sub(
        rf"(?<!\w)(?:{pattern})(?!\w)", lambda found: known[" ".join(found[0].casefold().split())], text, flags=re.I
    )


def _words(language: str) -> dict[str, str]:
    if language not in _TABLE:
        return {}
    weekdays, months, others = _TABLE[language]
    return {
        **dict(zip(weekdays.split(), _WEEKDAYS, strict=True)),
        **dict(zip(months.split(), _MONTHS, strict=True)),
        **dict(zip(others.split("|"), _OTHERS, strict=True)),
        **_MORE[language],
    }
