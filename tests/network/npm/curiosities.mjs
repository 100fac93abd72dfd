/** The other collections of the network, and records whose form is unusual: allowed, odd, or breaking their lexicon. */
import { png } from './media.mjs'

/** Lists, feeds, starter packs, gates and the rest: collections that the pipeline keeps whole. */
export async function writeOtherCollections(ledger, { alice, bob, carol, dan, judy, mallory }) {
  const createdAt = () => ledger.time()
  const list = await ledger.keep('list', alice, 'app.bsky.graph.list', {
    name: 'Friends',
    purpose: 'app.bsky.graph.defs#curatelist',
    description: 'People that I like',
    createdAt: createdAt(),
  })
  const moderation = await ledger.keep('moderation-list', dan, 'app.bsky.graph.list', {
    name: 'Loud',
    purpose: 'app.bsky.graph.defs#modlist',
    createdAt: createdAt(),
  })
  for (const { did } of [bob, judy]) {
    await ledger.create(alice, 'app.bsky.graph.listitem', { list: list.uri, subject: did, createdAt: createdAt() })
  }
  const item = { list: moderation.uri, subject: mallory.did, createdAt: createdAt() }
  await ledger.create(dan, 'app.bsky.graph.listitem', item)
  await ledger.create(carol, 'app.bsky.graph.listblock', { subject: moderation.uri, createdAt: createdAt() })
  const { data } = await alice.agent.uploadBlob(png(8, 8, [1, 2, 3]), { encoding: 'image/png' })
  const feed = {
    did: 'did:web:feeds.example.com',
    displayName: 'Everything',
    description: 'All of it',
    avatar: data.blob,
    createdAt: createdAt(),
  }
  const generator = await ledger.keep('feed', alice, 'app.bsky.feed.generator', feed, { rkey: 'everything' })
  await ledger.keep('starter-pack', alice, 'app.bsky.graph.starterpack', {
    name: 'Start here',
    list: list.uri,
    feeds: [{ uri: generator.uri }],
    createdAt: createdAt(),
  })
  await writeGates(ledger, alice)
  const policies = { labelValues: ['spam', 'rude'] }
  await ledger.create(mallory, 'app.bsky.labeler.service', { policies, createdAt: createdAt() }, { rkey: 'self' })
  await ledger.create(bob, 'chat.bsky.actor.declaration', { allowIncoming: 'following' }, { rkey: 'self' })
}

/** The gates of a post have its record key. */
async function writeGates(ledger, alice) {
  await ledger.post('gated', alice, { text: 'Only followers may answer, nobody may quote' })
  const { uri: post } = ledger.posts.gated
  const rkey = post.split('/').at(-1)
  const allow = [{ $type: 'app.bsky.feed.threadgate#followerRule' }]
  const embeddingRules = [{ $type: 'app.bsky.feed.postgate#disableRule' }]
  await ledger.create(alice, 'app.bsky.feed.threadgate', { post, allow, createdAt: ledger.time() }, { rkey })
  await ledger.create(alice, 'app.bsky.feed.postgate', { post, embeddingRules, createdAt: ledger.time() }, { rkey })
}

/** Allowed by their lexicons, yet not as the common client writes them: these must keep their bytes. */
export async function writeOddForms(ledger, { carol, erin, mallory, niaj, frank }) {
  const subject = ledger.ref('article')
  await ledger.create(mallory, 'app.bsky.feed.like', { subject, createdAt: '2023-11-05T12:00:00Z' })
  ledger.likes.push({ actor: 'mallory', post: 'article' })
  await ledger.create(niaj, 'app.bsky.feed.like', { subject, createdAt: '2023-11-05T12:00:00.123456Z', mood: 'happy' })
  ledger.likes.push({ actor: 'niaj', post: 'article' })
  const farAhead = '2099-01-01T00:00:00.000+02:00'
  await ledger.create(erin, 'app.bsky.feed.repost', { subject, createdAt: farAhead })
  ledger.reposts.push({ actor: 'erin', post: 'article' })
  await ledger.create(carol, 'app.bsky.graph.follow', { subject: frank.did, createdAt: '1984-04-04T00:00:00.000Z' })
  ledger.follows.push({ actor: 'carol', subject: 'frank' })
  await ledger.post('unknown-fields', carol, { text: 'More than the lexicon knows', 'com.example.mood': { level: 7 } })
}

/** A lexicon that nobody published, with every kind of value of the data model. */
export async function writeUnknownLexicon(ledger, { bob, judy }) {
  const plant = {
    name: 'M\u00E9lisse',
    height: 12,
    depth: -3,
    isPerennial: true,
    neighbour: null,
    seeds: { $bytes: 'AAECAwQ' },
    image: { $link: 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku' },
    beds: [[], {}, { row: [1, 2, [3]] }],
    large: Number.MAX_SAFE_INTEGER,
  }
  const collection = 'com.example.garden.plant'
  await ledger.keep('plant', bob, collection, plant, { rkey: 'Key:with_all.allowed~marks-1', validate: false })
  await ledger.create(judy, collection, plant, { validate: false })
}

/** What the pipeline must set aside with a reason, and keep. */
export async function writeInvalid(ledger, { dan, erin, niaj }) {
  const createdAt = ledger.time()
  await ledger.createInvalid(dan, 'app.bsky.feed.post', { text: 'x'.repeat(3001), createdAt })
  await ledger.createInvalid(dan, 'app.bsky.feed.post', { createdAt })
  await ledger.createInvalid(erin, 'app.bsky.feed.like', { createdAt })
  await ledger.createInvalid(erin, 'app.bsky.graph.follow', { subject: 'nobody', createdAt })
  await ledger.createInvalid(niaj, 'app.bsky.feed.repost', { subject: ledger.ref('hello'), createdAt: 'yesterday' })
}

/** `posts` posts and one like of each, in full applyWrites calls: a tree of several levels, and many records of one time. */
export async function writeInBulk(person, posts) {
  const createdAt = new Date().toISOString()
  const mine = []
  for (let done = 0; done < posts; done += 200) {
    const count = Math.min(200, posts - done)
    const texts = Array.from({ length: count }, (_, index) => `Number ${done + index}`)
    mine.push(...(await applyCreates(person, 'app.bsky.feed.post', texts.map((text) => ({ text, createdAt })))))
  }
  for (let done = 0; done < mine.length; done += 200) {
    const likes = mine.slice(done, done + 200).map(({ uri, cid }) => ({ subject: { uri, cid }, createdAt }))
    await applyCreates(person, 'app.bsky.feed.like', likes)
  }
}

async function applyCreates(person, collection, records) {
  const writes = records.map((value) => ({
    $type: 'com.atproto.repo.applyWrites#create',
    collection,
    value: { $type: collection, ...value },
  }))
  const { data } = await person.agent.com.atproto.repo.applyWrites({ repo: person.did, writes })
  return data.results
}
