"""One post of the plan as a record: text, facets, reply, embeds. What to post is decided in timeline.py."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zeppelin_pipeline.atproto.syntax import format_datetime
from zeppelin_pipeline.devnet.blobs import IMAGES, VIDEOS, blob_ref
from zeppelin_pipeline.devnet.population import Population
from zeppelin_pipeline.devnet.texts import LANGUAGES, SITES, TAGS, RichText, phrase
from zeppelin_pipeline.devnet.timeline import MEDIA, NONE, PostPlan

POST = "app.bsky.feed.post"


@dataclass(frozen=True, slots=True)
class PostWriter:
    """Makes the records of posts.

    Attributes:
        population: who writes.
        plan: what.
        strong_ref: `{cid, uri}` of a post of lower number.
    """

    population: Population
    plan: PostPlan
    strong_ref: Callable[[int], dict[str, str]]

    def record(self, number: int) -> dict[str, Any]:
        """The record of a post, as its lexicon wants it."""
        plan = self.plan
        variety = int(plan.variety[number])
        language = LANGUAGES[variety & 15]
        rich = self._text(number, variety, language)
        record: dict[str, Any] = {
            "$type": POST,
            "text": rich.text,
            "createdAt": format_datetime(int(plan.micros[number]) // 1000 * 1000),
        }
        if rich.facets:
            record["facets"] = rich.facets
        if language:
            record["langs"] = [language] if variety & 0x1F0 else [language, "en"]
        parent = int(plan.parent[number])
        if parent != NONE:
            record["reply"] = {"root": self.strong_ref(int(plan.root[number])), "parent": self.strong_ref(parent)}
        embed = self._embed(number, variety)
        if embed:
            record["embed"] = embed
        if variety % 101 == 0:
            record["tags"] = [TAGS[variety // 101 % len(TAGS)]]
        if variety % 257 == 0:
            record["labels"] = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "graphic-media"}]}
        return record

    def _text(self, number: int, variety: int, language: str) -> RichText:
        rich = RichText(f"{phrase(language, variety >> 4)} — {phrase(language, variety >> 12)}")
        mention = int(self.plan.mention[number])
        if mention != NONE:
            account = self.population.accounts[mention]
            rich.mention(account.handle, account.did)
        if (variety >> 9) % 13 == 0:
            rich.tag(TAGS[(variety >> 20) % len(TAGS)])
        if MEDIA[self.plan.media[number]] == "external":
            uri = _address(variety)
            rich.link(uri.removeprefix("https://")[:24] + "…", uri)
        return rich

    def _embed(self, number: int, variety: int) -> dict[str, Any] | None:
        media = self._media(number, variety)
        quoted = int(self.plan.quote[number])
        if quoted == NONE:
            return media
        record = {"$type": "app.bsky.embed.record", "record": self.strong_ref(quoted)}
        if media is None:
            return record
        return {"$type": "app.bsky.embed.recordWithMedia", "record": record, "media": media}

    def _media(self, number: int, variety: int) -> dict[str, Any] | None:
        author = int(self.plan.author[number])
        kind = MEDIA[self.plan.media[number]]
        if kind == "images":
            return {"$type": "app.bsky.embed.images", "images": self._images(author, variety, 1 + (variety >> 7) % 4)}
        if kind == "gallery":
            items = self._images(author, variety, 5 + (variety >> 7) % 4)
            return {
                "$type": "app.bsky.embed.gallery",
                "items": [{"$type": "app.bsky.embed.gallery#image"} | item for item in items],
            }
        if kind == "video":
            return self._video(author, variety)
        return self._external(author, variety) if kind == "external" else None

    def _images(self, author: int, variety: int, count: int) -> list[dict[str, Any]]:
        seed = self.population.config.seed
        return [
            {
                "image": blob_ref(seed, author, f"image-{(variety + place) % IMAGES}"),
                "alt": phrase("en", (variety >> 8) + place) if variety & 1 else "",
                "aspectRatio": {"width": 4, "height": 3},
            }
            for place in range(count)
        ]

    def _video(self, author: int, variety: int) -> dict[str, Any]:
        return {
            "$type": "app.bsky.embed.video",
            "video": blob_ref(self.population.config.seed, author, f"video-{variety % VIDEOS}"),
            "alt": phrase("en", variety >> 5),
            "aspectRatio": {"width": 16, "height": 9},
        }

    def _external(self, author: int, variety: int) -> dict[str, Any]:
        external: dict[str, Any] = {
            "uri": _address(variety),
            "title": phrase("en", variety >> 6),
            "description": "" if variety & 2 else phrase("de", variety >> 3),
        }
        if variety & 4:
            external["thumb"] = blob_ref(self.population.config.seed, author, f"image-{variety % IMAGES}")
        return {"$type": "app.bsky.embed.external", "external": external}


def _address(variety: int) -> str:
    return f"https://{SITES[(variety >> 2) % len(SITES)]}/articles/{variety % 100_000}?from=devnet"
