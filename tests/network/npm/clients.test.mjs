/**
 * The official client reads our API: each answer passes the client's own lexicons and says what was written.
 *
 *   ZEPPELIN_API_URL=http://localhost:2584 ZEPPELIN_EXPECTED=expected.json node --test clients.test.mjs
 *
 * The document of what is expected is made by expectations.py.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'

import {
  AppBskyEmbedExternal,
  AppBskyEmbedImages,
  AppBskyEmbedRecord,
  AppBskyEmbedRecordWithMedia,
  AppBskyEmbedVideo,
  AppBskyFeedDefs,
  AppBskyFeedPost,
  AtpAgent,
} from '@atproto/api'

const expected = JSON.parse(readFileSync(process.env.ZEPPELIN_EXPECTED, 'utf8'))
const agent = new AtpAgent({ service: process.env.ZEPPELIN_API_URL })
const posts = new Map(expected.posts.map((post) => [post.key, post]))
const profiles = new Map(expected.profiles.map((profile) => [profile.did, profile]))
const alice = expected.profiles.find(({ handle }) => handle.startsWith('alice.'))

/** One call; the client checks the answer against its lexicon, and so do we, so that no version of it can skip that. */
async function call(nsid, parameters) {
  const { data } = await agent.call(nsid, parameters)
  agent.lex.assertValidXrpcOutput(nsid, data)
  return data
}

/** All items of a paged method, in pages so small that there are several. */
async function collect(nsid, parameters, field, limit) {
  const items = []
  let cursor
  do {
    const page = await call(nsid, { ...parameters, limit, ...(cursor ? { cursor } : {}) })
    assert.ok(page[field].length <= limit, `${page[field].length} items on a page of ${limit}`)
    items.push(...page[field])
    cursor = page.cursor
  } while (cursor)
  return items
}

async function assertRefused(nsid, parameters, status, error) {
  await assert.rejects(agent.call(nsid, parameters), (refusal) => {
    assert.deepEqual({ status: refusal.status, error: refusal.error }, { status, error })
    return true
  })
}

/** The fields of a view that a document of what is expected names. */
function pick(view, fields) {
  return Object.fromEntries(fields.map((field) => [field, view[field] ?? null]))
}

const COUNTS = ['likeCount', 'repostCount', 'replyCount', 'quoteCount']

function assertPost(view, post) {
  assert.equal(view.uri, post.uri)
  assert.equal(view.cid, post.cid)
  assert.equal(view.author.did, post.author)
  assert.equal(view.author.handle, profiles.get(post.author).handle)
  assert.equal(view.record.text, post.text)
  assert.ok(AppBskyFeedPost.validateRecord(view.record).success)
  assert.deepEqual(pick(view, COUNTS), pick(post, COUNTS), `counts of ${post.key}`)
}

describe('accounts and records', () => {
  const fields = ['did', 'handle', 'displayName', 'description', 'followersCount', 'followsCount', 'postsCount']

  test('getProfile shows each account, by DID and by handle', async () => {
    for (const profile of expected.profiles) {
      for (const actor of [profile.did, profile.handle]) {
        const view = await call('app.bsky.actor.getProfile', { actor })
        assert.deepEqual(pick(view, fields), profile)
        assert.equal(Boolean(view.avatar), profile.displayName !== null)
        if (view.avatar) assert.ok(view.avatar.includes(profile.did), view.avatar)
      }
    }
  })

  test('getProfiles shows them all at once, in the order asked, without those that are hidden', async () => {
    const actors = [...profiles.keys(), ...expected.hidden]
    const { profiles: views } = await call('app.bsky.actor.getProfiles', { actors })
    assert.deepEqual(
      views.map((view) => pick(view, fields)),
      expected.profiles,
    )
  })

  test('getProfile refuses who is hidden and who never was', async () => {
    for (const actor of expected.hidden) {
      await assert.rejects(agent.call('app.bsky.actor.getProfile', { actor }), { status: 400 })
    }
    await assertRefused('app.bsky.actor.getProfile', { actor: 'nobody.alpha.test' }, 400, 'InvalidRequest')
    await assertRefused('app.bsky.actor.getProfile', {}, 400, 'InvalidRequest')
  })

  test('resolveHandle finds the DID of each handle', async () => {
    for (const { did, handle } of expected.profiles) {
      assert.deepEqual(await call('com.atproto.identity.resolveHandle', { handle }), { did })
    }
  })

  test('getRecord gives a post as it was written', async () => {
    for (const { uri, cid, text } of posts.values()) {
      const [, , repo, collection, rkey] = uri.split('/')
      const record = await call('com.atproto.repo.getRecord', { repo, collection, rkey })
      assert.deepEqual([record.uri, record.cid, record.value.text], [uri, cid, text])
    }
  })
})

describe('app.bsky.feed', () => {
  test('getPosts shows every post with its counts, and leaves out what was deleted', async () => {
    const uris = [...[...posts.values()].map(({ uri }) => uri), ...expected.deletedPosts]
    const views = []
    for (let start = 0; start < uris.length; start += 25) {
      views.push(...(await call('app.bsky.feed.getPosts', { uris: uris.slice(start, start + 25) })).posts)
    }
    assert.equal(views.length, posts.size)
    const byUri = new Map(views.map((view) => [view.uri, view]))
    for (const post of posts.values()) assertPost(byUri.get(post.uri), post)
  })

  test('embeds are shown as their kind of view', async () => {
    const keys = ['pictures', 'article', 'quote', 'quote-with-picture', 'clip', 'quote-of-gone']
    const uris = keys.map((key) => posts.get(key).uri)
    const { posts: views } = await call('app.bsky.feed.getPosts', { uris })
    const [pictures, article, quote, both, clip, lost] = views.map(({ embed }) => embed)

    assert.ok(AppBskyEmbedImages.isView(pictures))
    assert.deepEqual(
      pictures.images.map(({ alt, aspectRatio }) => [alt, aspectRatio.width, aspectRatio.height]),
      [
        ['red', 40, 30],
        ['', 40, 30],
      ],
    )
    for (const { thumb, fullsize } of pictures.images) assert.ok(URL.canParse(thumb) && URL.canParse(fullsize))

    assert.ok(AppBskyEmbedExternal.isView(article))
    assert.equal(article.external.uri, 'https://example.com/article')
    assert.equal(article.external.title, 'An article')
    assert.ok(URL.canParse(article.external.thumb))

    assert.ok(AppBskyEmbedRecord.isView(quote))
    assert.ok(AppBskyEmbedRecord.isViewRecord(quote.record))
    assert.equal(quote.record.uri, posts.get('hello').uri)
    assert.equal(quote.record.value.text, 'Hello, network')

    assert.ok(AppBskyEmbedRecordWithMedia.isView(both))
    assert.ok(AppBskyEmbedImages.isView(both.media))
    assert.equal(both.record.record.uri, posts.get('pictures').uri)
    assert.ok(AppBskyEmbedImages.isView(both.record.record.embeds[0]))

    assert.ok(AppBskyEmbedVideo.isView(clip))
    assert.equal(clip.alt, 'nothing moves')

    assert.ok(AppBskyEmbedRecord.isView(lost))
    assert.ok(AppBskyEmbedRecord.isViewNotFound(lost.record))
  })

  test('facets, languages, tags, labels and unknown fields come back as they were written', async () => {
    const uris = ['hello', 'mention', 'labelled', 'unknown-fields'].map((key) => posts.get(key).uri)
    const { posts: views } = await call('app.bsky.feed.getPosts', { uris })
    const [hello, mention, labelled, unknown] = views.map(({ record }) => record)
    assert.deepEqual([hello.langs, hello.tags], [['en'], ['greeting']])
    const features = mention.facets.flatMap((facet) => facet.features)
    assert.equal(features[0].did, alice.did)
    assert.equal(features[1].uri, 'https://example.com/a?b=c%20d')
    assert.equal(features[2].tag, 'sea')
    assert.deepEqual(labelled.labels.values, [{ val: 'nudity' }])
    assert.deepEqual(views[2].labels.map(({ val }) => val), ['nudity'])
    assert.deepEqual(unknown['com.example.mood'], { level: 7 })
  })

  test('getAuthorFeed gives posts and reposts, newest first, over several pages', async () => {
    for (const [actor, items] of Object.entries(expected.feeds)) {
      const feed = await collect('app.bsky.feed.getAuthorFeed', { actor }, 'feed', 2)
      assert.deepEqual(
        feed.map((item) => ({ uri: item.post.uri, isRepost: AppBskyFeedDefs.isReasonRepost(item.reason) })),
        items,
        `feed of ${actor}`,
      )
    }
  })

  test('getAuthorFeed filters', async () => {
    const keysOf = async (filter) => {
      const feed = await collect('app.bsky.feed.getAuthorFeed', { actor: alice.did, filter }, 'feed', 3)
      const keys = new Map([...posts.values()].map(({ key, uri }) => [uri, key]))
      return feed.map(({ post }) => keys.get(post.uri))
    }
    assert.deepEqual(await keysOf('posts_no_replies'), ['article', 'gated', 'pictures', 'hello'])
    assert.deepEqual(await keysOf('posts_with_media'), ['pictures'])
    assert.deepEqual(await keysOf('posts_with_video'), [])
    assert.deepEqual(await keysOf('posts_and_author_threads'), [
      'article',
      'gated',
      'pictures',
      'self-answer',
      'hello',
    ])
  })

  test('getAuthorFeed neither loses nor repeats any of many posts of one time', async () => {
    const feed = await collect('app.bsky.feed.getAuthorFeed', { actor: expected.bulk.actor }, 'feed', 70)
    assert.equal(feed.length, expected.bulk.posts)
    assert.equal(new Set(feed.map(({ post }) => post.uri)).size, expected.bulk.posts)
    assert.ok(feed.every(({ post }) => post.likeCount === 1))
  })

  test('getPostThread shows ancestors and answers of every post', async () => {
    for (const { uri, ancestors, replies } of expected.threads) {
      const { thread } = await call('app.bsky.feed.getPostThread', { uri })
      assert.ok(AppBskyFeedDefs.isThreadViewPost(thread))
      const found = []
      for (let node = thread.parent; node; node = node.parent) {
        found.push(AppBskyFeedDefs.isNotFoundPost(node) ? null : node.post.uri)
      }
      assert.deepEqual(found, ancestors)
      assert.deepEqual((thread.replies ?? []).map(({ post }) => post.uri).sort(), replies)
    }
    await assertRefused('app.bsky.feed.getPostThread', { uri: expected.deletedPosts[0] }, 400, 'NotFound')
  })

  test('getLikes and getRepostedBy name who did it, newest first', async () => {
    for (const [uri, dids] of Object.entries(expected.likes)) {
      const likes = await collect('app.bsky.feed.getLikes', { uri }, 'likes', 3)
      assert.deepEqual(likes.map(({ actor }) => actor.did), dids)
    }
    for (const [uri, dids] of Object.entries(expected.reposts)) {
      const people = await collect('app.bsky.feed.getRepostedBy', { uri }, 'repostedBy', 1)
      assert.deepEqual(people.map(({ did }) => did), dids)
    }
  })
})

describe('app.bsky.graph', () => {
  for (const [method, field] of [
    ['getFollowers', 'followers'],
    ['getFollows', 'follows'],
  ]) {
    test(`${method} names them, newest first`, async () => {
      for (const [actor, dids] of Object.entries(expected[field])) {
        const { subject } = await call(`app.bsky.graph.${method}`, { actor })
        assert.equal(subject.did, actor)
        const people = await collect(`app.bsky.graph.${method}`, { actor }, field, 4)
        assert.deepEqual(people.map(({ did }) => did), dids)
      }
    })
  }
})

describe('the service', () => {
  test('a method that is not served says so', async () => {
    await assertRefused('app.bsky.feed.getTimeline', {}, 501, 'MethodNotImplemented')
  })
})
