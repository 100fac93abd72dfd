"""The words that people write: short phrases in several languages, and the facets that mark parts of them."""

from typing import Any

PHRASES: dict[str, tuple[str, ...]] = {
    "en": (
        "good morning, everyone",
        "the tram was late again",
        "shipping on a Friday, what could go wrong",
        "does anybody still read changelogs?",
        "new bread, new day 🍞",
        "this thread aged well",
        "I rewrote it and it is slower",
        "the sea was very blue today 🌊",
        "reading about lighthouses",
        "cats do not care for deadlines 🐈‍⬛",
        "thank you, that helped a lot",
        "unpopular opinion: tabs",
        "found my old notebook",
        "what a match!",
        "it's raining sideways",
        "who else is awake?",
    ),
    "ja": (
        "おはようございます",
        "今日はいい天気ですね ☀️",
        "猫が寝ている",
        "新しい本を買いました",
        "電車が遅れています",
    ),
    "pt": ("bom dia, pessoal", "que calor é esse?", "não acredito que acabou", "café ☕ e código", "saudade do mar"),
    "de": ("Guten Morgen zusammen", "schönes Wetter heute", "das Brötchen war größer", "Züge, pünktlich wie nie"),
    "es": ("buenos días a todos", "¿quién más está despierto?", "mañana será otro día", "el pingüino 🐧 saluda"),
    "ko": ("안녕하세요", "오늘 날씨가 좋네요", "커피 한 잔 ☕"),
    "uk": ("Доброго ранку", "кава й книжки", "море сьогодні тихе 🌊"),
}
LANGUAGES = ("en", "en", "en", "en", "en", "ja", "ja", "pt", "pt", "de", "es", "ko", "uk", "en-GB", "pt-BR", "")
"""Drawn from evenly; the empty one is a post that states no language."""
TAGS = ("devnet", "bread", "caturday", "写真", "lighthouses", "trains", "música", "opensource")
SITES = ("example.com", "news.example.org", "blog.example.net")


def phrase(language: str, number: int) -> str:
    """A phrase in a language (English when it has none of its own), chosen by any number."""
    choices = PHRASES.get(language.partition("-")[0], PHRASES["en"])
    return choices[number % len(choices)]


class RichText:
    """A post's text as it grows, with its facets, whose offsets count UTF-8 bytes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.facets: list[dict[str, Any]] = []

    def mark(self, shown: str, feature: dict[str, Any]) -> None:
        """Add a word, and a facet that covers just it."""
        start = len(self.text.encode()) + 1
        self.text = f"{self.text} {shown}"
        end = start + len(shown.encode())
        self.facets.append({"index": {"byteStart": start, "byteEnd": end}, "features": [feature]})

    def mention(self, handle: str, did: str) -> None:
        """Add `@handle`, pointing at the account."""
        self.mark(f"@{handle}", {"$type": "app.bsky.richtext.facet#mention", "did": did})

    def link(self, shown: str, uri: str) -> None:
        """Add a link."""
        self.mark(shown, {"$type": "app.bsky.richtext.facet#link", "uri": uri})

    def tag(self, tag: str) -> None:
        """Add a hashtag."""
        self.mark(f"#{tag}", {"$type": "app.bsky.richtext.facet#tag", "tag": tag})
