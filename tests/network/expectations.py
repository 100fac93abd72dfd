"""What an AppView must answer about the seeded network, worked out from what was written and nothing else.

The clients in two languages compare with one document, so that neither works it out again.
"""

from dataclasses import dataclass
from typing import Any

from tests.network.official import Post, Seed

FEEDS = ("alice", "bob", "carol", "judy", "olivia")
LIKED = ("hello", "article", "answer")
REPOSTED = ("hello", "article")
FOLLOWED = ("alice", "bob")
BULK_AUTHOR = "peggy"


@dataclass(frozen=True, slots=True)
class Expectations:
    """The seed, and whom of it nobody may see.

    Attributes:
        hidden: names of accounts that are not shown.
    """

    seed: Seed
    hidden: frozenset[str]

    def document(self) -> dict[str, Any]:
        """Profiles, posts, threads, feeds and lists of people; lists are newest first."""
        posts = self._posts()
        return {
            "profiles": [self._profile(posts, name) for name in self.seed.accounts if name not in self.hidden],
            "hidden": self._dids(sorted(self.hidden)),
            "posts": [self._post(posts, post) for post in posts.values()],
            "deletedPosts": [post.uri for post in self.seed.posts.values() if post.uri in self.seed.deleted_uris],
            "feeds": {self._did(name): self._feed(posts, name) for name in FEEDS},
            "bulk": {"actor": self._did(BULK_AUTHOR), "posts": self.seed.bulk_posts},
            "likes": {posts[key].uri: self._dids(self._who(self.seed.likes, key)) for key in LIKED},
            "reposts": {posts[key].uri: self._dids(self._who(self.seed.reposts, key)) for key in REPOSTED},
            "followers": {self._did(name): self._dids(self._who(self.seed.follows, name)) for name in FOLLOWED},
            "follows": {self._did(name): self._dids(self._whom(self.seed.follows, name)) for name in FOLLOWED},
            "threads": [_thread(posts, post) for post in posts.values()],
        }

    def _posts(self) -> dict[str, Post]:
        """The posts that are shown, oldest first."""
        return {
            key: post
            for key, post in self.seed.posts.items()
            if post.author not in self.hidden and post.uri not in self.seed.deleted_uris
        }

    def _profile(self, posts: dict[str, Post], name: str) -> dict[str, Any]:
        account = self.seed.accounts[name]
        written = sum(post.author == name for post in posts.values())
        return {
            "did": account.did,
            "handle": account.handle,
            "displayName": account.display_name,
            "description": account.description,
            "followersCount": len(self._who(self.seed.follows, name)),
            "followsCount": len(self._whom(self.seed.follows, name)),
            "postsCount": written + (self.seed.bulk_posts if name == BULK_AUTHOR else 0),
        }

    def _post(self, posts: dict[str, Post], post: Post) -> dict[str, Any]:
        return {
            "key": post.key,
            "uri": post.uri,
            "cid": post.cid,
            "text": post.text,
            "author": self._did(post.author),
            "likeCount": len(self._who(self.seed.likes, post.key)),
            "repostCount": len(self._who(self.seed.reposts, post.key)),
            "replyCount": sum(other.parent == post.key for other in posts.values()),
            "quoteCount": sum(other.quotes == post.key for other in posts.values()),
        }

    def _feed(self, posts: dict[str, Post], name: str) -> list[dict[str, Any]]:
        """Reposts first: they were all made after the last post."""
        reposted = [key for actor, key in reversed(self.seed.reposts) if actor == name]
        own = [key for key, post in reversed(posts.items()) if post.author == name]
        return [
            *({"uri": posts[key].uri, "isRepost": True} for key in reposted),
            *({"uri": posts[key].uri, "isRepost": False} for key in own),
        ]

    def _who(self, relations: list[tuple[str, str]], target: str) -> list[str]:
        return [actor for actor, subject in reversed(relations) if subject == target and actor not in self.hidden]

    def _whom(self, relations: list[tuple[str, str]], actor: str) -> list[str]:
        return [subject for doer, subject in reversed(relations) if doer == actor and doer not in self.hidden]

    def _did(self, name: str) -> str:
        return self.seed.accounts[name].did

    def _dids(self, names: list[str]) -> list[str]:
        return [self._did(name) for name in names]


def _thread(posts: dict[str, Post], post: Post) -> dict[str, Any]:
    """A post with its ancestors, nearest first (None: not there), and its direct answers."""
    ancestors: list[str | None] = []
    key = post.parent
    while key is not None:
        parent = posts.get(key)
        ancestors.append(parent.uri if parent else None)
        key = parent.parent if parent else None
    replies = sorted(other.uri for other in posts.values() if other.parent == post.key)
    return {"uri": post.uri, "ancestors": ancestors, "replies": replies}
