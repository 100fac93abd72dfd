"""What an AppView must answer about the seeded network, worked out from what was written and nothing else.

The clients in two languages compare with one document, so that neither works it out again.
"""

from typing import Any

from tests.network.official import Post, Seed

#: Names of accounts that nobody may see: what they wrote, liked and followed counts for nothing.
Hidden = frozenset[str]


def expected_answers(seed: Seed, hidden: Hidden) -> dict[str, Any]:
    """The document for both clients: profiles, posts, threads, feeds and lists of people, newest first."""
    posts = _visible_posts(seed, hidden)
    return {
        "profiles": [_profile(seed, posts, hidden, name) for name in seed.accounts if name not in hidden],
        "hidden": [seed.accounts[name].did for name in sorted(hidden)],
        "posts": [_post(seed, posts, hidden, post) for post in posts.values()],
        "deletedPosts": [post.uri for post in seed.posts.values() if post.uri in seed.deleted_uris],
        "feeds": {name: _feed(seed, posts, hidden, name) for name in ("alice", "bob", "carol", "judy", "olivia")},
        "bulk": {"actor": seed.accounts["peggy"].did, "posts": seed.bulk_posts},
        "likes": {
            posts[key].uri: [seed.accounts[name].did for name in _who(seed.likes, key, hidden)]
            for key in ("hello", "article", "answer")
        },
        "reposts": {posts["hello"].uri: [seed.accounts[name].did for name in _who(seed.reposts, "hello", hidden)]},
        "followers": {seed.accounts["alice"].did: _dids(seed, _who(seed.follows, "alice", hidden))},
        "follows": {seed.accounts["alice"].did: _dids(seed, _whom(seed.follows, "alice", hidden))},
        "threads": _threads(posts),
    }


def _visible_posts(seed: Seed, hidden: Hidden) -> dict[str, Post]:
    return {
        key: post for key, post in seed.posts.items() if post.author not in hidden and post.uri not in seed.deleted_uris
    }


def _profile(seed: Seed, posts: dict[str, Post], hidden: Hidden, name: str) -> dict[str, Any]:
    account = seed.accounts[name]
    written = sum(post.author == name for post in posts.values())
    return {
        "did": account.did,
        "handle": account.handle,
        "displayName": account.display_name,
        "description": account.description,
        "followersCount": len(_who(seed.follows, name, hidden)),
        "followsCount": len(_whom(seed.follows, name, hidden)),
        "postsCount": written + (seed.bulk_posts if name == "peggy" else 0),
    }


def _post(seed: Seed, posts: dict[str, Post], hidden: Hidden, post: Post) -> dict[str, Any]:
    return {
        "key": post.key,
        "uri": post.uri,
        "cid": post.cid,
        "text": post.text,
        "author": seed.accounts[post.author].did,
        "embed": post.embed,
        "quotes": seed.posts[post.quotes].uri if post.quotes else None,
        "likeCount": len(_who(seed.likes, post.key, hidden)),
        "repostCount": len(_who(seed.reposts, post.key, hidden)),
        "replyCount": sum(other.parent == post.key for other in posts.values()),
        "quoteCount": sum(other.quotes == post.key for other in posts.values()),
    }


def _feed(seed: Seed, posts: dict[str, Post], hidden: Hidden, name: str) -> list[dict[str, Any]]:
    """Reposts first: they were all made after the last post."""
    reposted = [key for actor, key in seed.reposts if actor == name and key in posts]
    own = [key for key, post in posts.items() if post.author == name]
    items = [{"uri": posts[key].uri, "isRepost": True} for key in reversed(reposted)]
    return items + [{"uri": posts[key].uri, "isRepost": False} for key in reversed(own)]


def _threads(posts: dict[str, Post]) -> list[dict[str, Any]]:
    """Each post with its ancestors, nearest first (None: not there), and its direct answers."""
    threads: list[dict[str, Any]] = []
    for post in posts.values():
        ancestors: list[str | None] = []
        key = post.parent
        while key is not None:
            parent = posts.get(key)
            ancestors.append(parent.uri if parent else None)
            key = parent.parent if parent else None
        replies = sorted(other.uri for other in posts.values() if other.parent == post.key)
        threads.append({"uri": post.uri, "ancestors": ancestors, "replies": replies})
    return threads


def _who(relations: list[tuple[str, str]], target: str, hidden: Hidden) -> list[str]:
    """Who did it to the target, newest first."""
    return [actor for actor, subject in reversed(relations) if subject == target and actor not in hidden]


def _whom(relations: list[tuple[str, str]], actor: str, hidden: Hidden) -> list[str]:
    """To whom the actor did it, newest first."""
    return [subject for doer, subject in reversed(relations) if doer == actor and subject not in hidden]


def _dids(seed: Seed, names: list[str]) -> list[str]:
    return [seed.accounts[name].did for name in names]
