"""The language of a text, as the detector py3langid judges it.

Lui and Baldwin, "langid.py: An Off-the-shelf Language Identification Tool", ACL 2012: a naive
Bayes classifier of byte sequences for about a hundred languages; py3langid (BSD) maintains it. A
text that is too short to be judged has no language, and takes that of its recording.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.cache import cached
from moodal.core.scripts import DENSE, IDEOGRAPHIC, script_of

LETTERS = 12
"""The letters below which a text in an alphabet is not judged; of scripts without blanks, where a
sign is a syllable or a word, `SIGNS`."""
SIGNS = 4
SURE = 0.6
"""The probability from which a judgement counts."""
BEGINNING = 2000
"""The characters of a text that are read."""

UNKNOWN, UNRECOGNISED = "und", "mis"
"""The language of a text that is too short to be judged; of a long one that is in none of the
languages of the detector, or in several (BCP 47)."""
LONG = 60
"""The letters from which a text is long enough for that."""

NOTHING = "zxx"
"""What the detector calls signs that are of no language."""

NAMES: Mapping[str, str] = {
    "af": "Afrikaans",
    "am": "Amharic",
    "ar": "Arabic",
    "arq": "Algerian Arabic",
    "ary": "Moroccan Arabic",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "bs": "Bosnian",
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "gl": "Galician",
    "ha": "Hausa",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "id": "Indonesian",
    "ig": "Igbo",
    "is": "Icelandic",
    "it": "Italian",
    "ja": "Japanese",
    "jv": "Javanese",
    "ko": "Korean",
    "mk": "Macedonian",
    "ml": "Malayalam",
    "mr": "Marathi",
    "ms": "Malay",
    "nl": "Dutch",
    "no": "Norwegian",
    "om": "Oromo",
    "pcm": "Nigerian Pidgin",
    "pl": "Polish",
    "pt": "Portuguese",
    "pt-BR": "Brazilian Portuguese",
    "pt-MZ": "Mozambican Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "rw": "Kinyarwanda",
    "sk": "Slovak",
    "sl": "Slovenian",
    "so": "Somali",
    "sr": "Serbian",
    "su": "Sundanese",
    "sv": "Swedish",
    "sw": "Swahili",
    "th": "Thai",
    "ti": "Tigrinya",
    "tr": "Turkish",
    "tt": "Tatar",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "vmw": "Makhuwa",
    "xh": "Xhosa",
    "yo": "Yoruba",
    "zh": "Chinese",
    "zh-TW": "Chinese of Taiwan",
    "an": "Aragonese",
    "as": "Assamese",
    "az": "Azerbaijani",
    "ba": "Bashkir",
    "be": "Belarusian",
    "bo": "Tibetan",
    "br": "Breton",
    "ceb": "Cebuano",
    "cy": "Welsh",
    "dz": "Dzongkha",
    "eo": "Esperanto",
    "fo": "Faroese",
    "fy": "Frisian",
    "ga": "Irish",
    "gu": "Gujarati",
    "haw": "Hawaiian",
    "ht": "Haitian Creole",
    "hy": "Armenian",
    "ka": "Georgian",
    "kk": "Kazakh",
    "km": "Khmer",
    "kn": "Kannada",
    "ku": "Kurdish",
    "ky": "Kyrgyz",
    "la": "Latin",
    "lb": "Luxembourgish",
    "ln": "Lingala",
    "lo": "Lao",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "mg": "Malagasy",
    "mi": "Maori",
    "mis": "one that was not recognised",
    "mn": "Mongolian",
    "mt": "Maltese",
    "my": "Burmese",
    "nb": "Norwegian",
    "ne": "Nepali",
    "nn": "Norwegian Nynorsk",
    "oc": "Occitan",
    "or": "Odia",
    "pa": "Punjabi",
    "ps": "Pashto",
    "qu": "Quechua",
    "sa": "Sanskrit",
    "sd": "Sindhi",
    "se": "Northern Sami",
    "si": "Sinhala",
    "sn": "Shona",
    "sq": "Albanian",
    "ta": "Tamil",
    "te": "Telugu",
    "tg": "Tajik",
    "tk": "Turkmen",
    "tl": "Tagalog",
    "ug": "Uyghur",
    "uz": "Uzbek",
    "vo": "Volapük",
    "wa": "Walloon",
    "yi": "Yiddish",
    "yue": "Cantonese",
    "zu": "Zulu",
}
"""Language (BCP 47) -> its English name, for flags and tables."""

ALIKE: Mapping[str, str] = {
    "arq": "ar",
    "ary": "ar",
    "bs": "hr",
    "nb": "no",
    "nn": "no",
    "pcm": "en",
    "sr": "hr",
}
"""Language -> the one as which a detector may well take it; it stands for both."""


OF_SCRIPT: Mapping[str, str] = {
    "ARMENIAN": "hy",
    "GEORGIAN": "ka",
    "GREEK": "el",
    "HANGUL": "ko",
    "HEBREW": "he",
    "KHMER": "km",
    "LAO": "lo",
    "MYANMAR": "my",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
}
"""Script, as Unicode names it -> the one language that is usually written in it, for texts that are
too short for the detector."""
KANA = re.compile("[\u3040-\u30ff]")
"""A sign that Japanese has and Chinese has not."""


@dataclass(frozen=True)
class Judgement:
    """The language of a text.

    Attributes:
        language: its code (BCP 47), or `UNKNOWN` or `UNRECOGNISED`.
        probability: of the most likely language, 0 to 1.
    """

    language: str
    probability: float


def language_of(text: str) -> Judgement:
    """Judge the language of a text.

    >>> language_of("Das habe ich wirklich nicht von dir erwartet.").language
    'de'
    >>> language_of("Ok.").language
    'und'
    """
    text = text[:BEGINNING]
    # vowels are marks in the scripts of India
    letters = sum(unicodedata.category(c)[0] in "LM" for c in text)
    signs = len(DENSE.findall(text))
    if letters < LETTERS and signs < SIGNS:
        return Judgement(_of_script(text) if signs > 1 or letters > 2 else UNKNOWN, 0.0)
    language, probability = _detector().classify(text.lower() if text.isupper() else text)
    if probability >= SURE and language != NOTHING:
        return Judgement(language, float(probability))
    if (own := _of_script(text)) != UNKNOWN:
        return Judgement(own, float(probability))
    return Judgement(UNRECOGNISED if letters >= LONG else UNKNOWN, float(probability))


def _of_script(text: str) -> str:
    """Return the language whose script it is, where one alone of the usual ones has it."""
    script = script_of(text)
    if script == IDEOGRAPHIC:
        return "ja" if KANA.search(text) else "zh"
    return OF_SCRIPT.get(script, UNKNOWN)


def base(language: str) -> str:
    """Return the language under which one is judged: without its region, or one like it.

    >>> base("pt-BR"), base("ary"), base("de")
    ('pt', 'ar', 'de')
    """
    plain = language.partition("-")[0]
    return ALIKE.get(plain, plain)


def name_of(language: str) -> str:
    """Return the English name of a language, or its code."""
    return NAMES.get(language, NAMES.get(base(language), language))


@cache
def _detector() -> Any:
    import py3langid
    import py3langid.langid as langid

    path = Path(langid.__file__).parent / langid.MODEL_FILE
    # unpacking the model takes longer than all else in a first answer
    arrays = cached(f"language-{py3langid.__version__}", path, partial(_unpacked, path))
    return langid.LanguageIdentifier(
        arrays["weights"],
        arrays["prior"],
        arrays["languages"].tobytes().decode().split(),
        # of a view of memory, single numbers are read faster than of NumPy's arrays
        arrays["moves"].data,
        arrays["features"].data,
        norm_probs=True,
        tk_row=arrays["rows"].astype(np.int64).tolist(),
    )


def _unpacked(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of py3langid's model, which is compressed."""
    from py3langid.modelio import load_model

    weights, prior, languages, moves, rows, features = load_model(path)
    return {
        "weights": np.asarray(weights),
        "prior": np.asarray(prior),
        "languages": np.frombuffer(" ".join(languages).encode(), np.uint8),
        "moves": np.asarray(moves),
        "rows": np.asarray(rows),
        "features": np.asarray(features, np.int32),
    }
