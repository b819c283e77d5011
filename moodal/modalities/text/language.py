"""Detect texts that do not look English, the only language of the text branch."""

from __future__ import annotations

import re
import unicodedata

FOREIGN = 0.3
"""Share of letters outside the Latin alphabet from which a text is not English."""

FEW = 4
"""The number of words below which the words are not judged."""

_ENGLISH = """
a about after all also am an and any are as at be because been but by can come could did do don
does doing down even for from get go going good got had has have he her here him his how i if in
into is it its just know let like look made make many me more much my need never no not now of
off oh ok on one only or other our out over people please really right said say see she so some
sorry still such take than thank thanks that the their them then there these they thing think
this those time to too up us very want was way we well were what when where which who why will
with would yeah yes you your i'm it's don't you're that's
"""

_COMMON = frozenset(_ENGLISH.split())

_OTHERS = tuple(
    frozenset(line.split())
    for line in (
        "der die das und ist ich nicht ein eine zu den mit sich auf für es sie er wir wie dem ja "
        "auch von habe haben war wird aber noch nur dass",
        "le la les et est je ne pas un une des du que qui dans pour sur il elle nous vous ce cette "
        "mais avec au tu suis sont très oui ça",
        "el los las y es no que de en un una por con para se lo mi su pero como más está muy yo te "
        "me qué del al sí",
        "il lo gli e è non che di un una per con sono mi ti ma come più molto questo anche della "
        "io si ho hai sei",
        "o os as e é não que de um uma por com para se meu sua mas como mais muito eu você está "
        "em na no do da",
        "de het een en is ik niet dat van op te zijn met voor maar wat die je ook er hij wij heb",
        "och att det som en är jag inte på för med av den vi men har var ett du till",
        "og at det som en er jeg ikke på for med av den vi men har var et du til",
        "nie i w na się to jest z że do jak ale tak co mnie ja jestem bardzo",
        "bir ve bu da de için ne ben sen çok var yok ama değil gibi",
        "yang dan di ini itu dengan untuk tidak aku saya kamu ada dari ke",
    )
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def looks_english(text: str) -> bool:
    """Judge whether a text looks English, by its letters and its most common words.

    A text of fewer than `FEW` words in Latin letters counts as English. The method is simple:
    short texts in similar languages, and names, may be misjudged.

    >>> looks_english("I did not expect that"), looks_english("Das habe ich nicht erwartet")
    (True, False)
    """
    letters = [c for c in text[:20000] if c.isalpha()]
    latin = sum(c.isascii() or unicodedata.name(c, "").startswith("LATIN") for c in letters)
    if not letters or latin < (1 - FOREIGN) * len(letters):
        return not letters
    words = [w.lower().replace("’", "'") for w in _WORD.findall(text[:20000])]
    if len(words) < FEW:
        return True
    english = sum(w in _COMMON or w.split("'")[0] in _COMMON for w in words)
    other = max(sum(w in common for w in words) for common in _OTHERS)
    return english >= other if len(words) < 12 else english > other and english >= 0.1 * len(words)
