/** Larger and rarer things for an AppView to answer: many accounts, wide and deep threads, every kind of quote, rule, list. */
import { mp4, png } from './media.mjs'
import { signUp } from './people.mjs'

const CROWD = { alpha: 14, beta: 10 }
const DEEP_LEVELS = 24
const WIDE_ANSWERS = 30
const PINNED_DOMAIN = 'https://example.com'
const LIST = 'app.bsky.graph.list'
const ITEM = 'app.bsky.graph.listitem'
const POST_GATE = 'app.bsky.feed.postgate'
const THREAD_GATE = 'app.bsky.feed.threadgate'

export async function write(world, ledger, people) {
  const crowd = await gather(world, ledger, people)
  await writeThreads(ledger, people, crowd)
  await writeMedia(ledger, people)
  await writeLists(ledger, people, crowd)
  await writeFeeds(world, ledger, people, crowd)
  await writeStarterPacks(ledger, people, crowd)
  await writeQuotesOfEverything(ledger, people)
  await writeGates(ledger, people, crowd)
  await writeBlocks(ledger, people, crowd)
  await writeProfiles(world, ledger, people, crowd)
}

export async function writeLive(world, ledger, people) {
  const { alice, bob, carol, dan, judy, crowd3, crowd4, crowd20 } = people
  await ledger.post('live', crowd3, { text: 'Said while you listen #live', tags: ['live'] })
  for (const person of [alice, bob, judy, crowd20]) {
    await ledger.like(person, 'live')
    await ledger.reply(`live-answer-${person.name}`, person, 'live', { text: `Heard by ${person.name}` })
  }
  await ledger.repost(carol, 'live')
  await ledger.post('live-quote', crowd20, { text: 'Listen', embed: recordEmbed(ledger.ref('live')) })
  await ledger.follow(crowd4, carol)
  await ledger.post('live-deleted', crowd4, { text: 'Never mind' })
  await ledger.reply('live-orphan', alice, 'live-deleted', { text: 'Too late' })
  await ledger.remove(crowd4, ledger.posts['live-deleted'].uri)
  await dan.agent.upsertProfile((profile) => ({ ...profile, displayName: 'Dan, anew' }))
}

/** Accounts that follow one another by a rule, with posts of their own. Every fifth has no profile. */
async function gather(world, ledger, people) {
  const crowd = []
  for (const [hostName, count] of Object.entries(CROWD)) {
    for (let index = 0; index < count; index += 1) {
      const name = `crowd${crowd.length}`
      const person = await signUp(world.addresses, hostName, name)
      people[name] = person
      crowd.push(person)
    }
  }
  for (const [number, person] of crowd.entries()) {
    if (number % 5 === 0) continue
    const record = { displayName: `Crowd number ${number}`, description: `One of many, #${number}`, createdAt: ledger.time() }
    await ledger.create(person, 'app.bsky.actor.profile', record, { rkey: 'self' })
  }
  for (const [number, person] of crowd.entries()) {
    for (const step of [1, 2, 3, 5]) await ledger.follow(person, crowd[(number + step) % crowd.length])
    if (number % 3) await ledger.follow(person, people.alice)
    await ledger.post(`crowd-${number}`, person, { text: `The ${number}th says hello`, langs: ['en'] })
  }
  return crowd
}

async function writeThreads(ledger, { alice, bob, carol }, crowd) {
  await ledger.post('wide', alice, { text: 'Who is here?' })
  for (let number = 0; number < WIDE_ANSWERS; number += 1) {
    await ledger.reply(`wide-${number}`, crowd[number % crowd.length], 'wide', { text: `Answer ${number}` })
    if (number % 4 === 0) await ledger.like(alice, `wide-${number}`)
    if (number % 3 === 0) await ledger.reply(`wide-${number}-b`, bob, `wide-${number}`, { text: `To ${number}` })
  }
  for (const person of crowd.slice(0, 6)) await ledger.like(person, 'wide-5')
  for (const person of crowd.slice(0, 12)) await ledger.like(person, 'wide')
  for (const person of crowd.slice(2, 11)) await ledger.repost(person, 'wide')
  await ledger.post('deep', carol, { text: 'Down we go' })
  let parent = 'deep'
  for (let level = 0; level < DEEP_LEVELS; level += 1) {
    const author = level % 4 === 3 ? bob : carol
    await ledger.reply(`deep-${level}`, author, parent, { text: `Level ${level}` })
    parent = `deep-${level}`
  }
  await ledger.remove(carol, ledger.posts['deep-13'].uri)
}

async function upload(person, bytes, encoding) {
  const { data } = await person.agent.uploadBlob(bytes, { encoding })
  return data.blob
}

const recordEmbed = (record) => ({ $type: 'app.bsky.embed.record', record })
const withMedia = (record, media) => ({ $type: 'app.bsky.embed.recordWithMedia', record: recordEmbed(record), media })

async function writeMedia(ledger, { alice, bob, judy, mallory }) {
  const gallery = {
    $type: 'app.bsky.embed.gallery',
    items: await Promise.all(
      [1, 2, 3, 4, 5, 6].map(async (number) => ({
        $type: 'app.bsky.embed.gallery#image',
        image: await upload(judy, png(30 + number, 20, [40 * number, 0, 90]), 'image/png'),
        alt: `picture ${number}`,
        aspectRatio: { width: 30 + number, height: 20 },
      })),
    ),
  }
  await ledger.post('gallery', judy, { text: 'Six pictures', embed: gallery })
  const bare = { uri: PINNED_DOMAIN, title: '', description: '' }
  await ledger.post('bare-card', bob, { text: 'No thumb', embed: { $type: 'app.bsky.embed.external', external: bare } })
  const captions = [{ lang: 'en', file: await upload(mallory, new TextEncoder().encode('WEBVTT\n'), 'text/vtt') }]
  const video = { $type: 'app.bsky.embed.video', video: await upload(mallory, mp4(), 'video/mp4'), captions }
  await ledger.post('captioned', mallory, { text: 'With captions', embed: video })
  const image = { image: await upload(alice, png(10, 10, [1, 2, 3]), 'image/png'), alt: 'no ratio' }
  const images = { $type: 'app.bsky.embed.images', images: [image] }
  await ledger.post('no-ratio', alice, { text: 'No ratio', embed: images })
  const hello = ledger.ref('hello')
  await ledger.post('quote-with-card', bob, {
    text: 'Card and quote',
    embed: withMedia(hello, { $type: 'app.bsky.embed.external', external: bare }),
  })
  await ledger.post('quote-with-video', mallory, { text: 'Video and quote', embed: withMedia(hello, video) })
  await ledger.reply('picture-answer', alice, 'gallery', { text: 'Mine too', embed: images })
}

async function writeLists(ledger, { alice, bob, carol, dan, judy }, crowd) {
  const curated = await ledger.keep('crowd-list', bob, LIST, {
    name: 'The crowd',
    purpose: 'app.bsky.graph.defs#curatelist',
    description: 'All of https://example.com',
    descriptionFacets: [
      {
        index: { byteStart: 7, byteEnd: 26 },
        features: [{ $type: 'app.bsky.richtext.facet#link', uri: 'https://example.com' }],
      },
    ],
    avatar: await upload(bob, png(9, 9, [9, 99, 9]), 'image/png'),
    labels: { $type: 'com.atproto.label.defs#selfLabels', values: [{ val: 'sexual' }] },
    createdAt: ledger.time(),
  })
  for (const { did } of crowd.slice(0, 18)) {
    await ledger.create(bob, ITEM, { list: curated.uri, subject: did, createdAt: ledger.time() })
  }
  await ledger.keep('empty-list', judy, LIST, {
    name: 'Nobody',
    purpose: 'app.bsky.graph.defs#curatelist',
    createdAt: ledger.time(),
  })
  const blocked = await ledger.keep('block-list', carol, LIST, {
    name: 'Too loud',
    purpose: 'app.bsky.graph.defs#modlist',
    createdAt: ledger.time(),
  })
  for (const { did } of crowd.slice(20, 23)) {
    await ledger.create(carol, ITEM, { list: blocked.uri, subject: did, createdAt: ledger.time() })
  }
  await ledger.create(alice, 'app.bsky.graph.listblock', { subject: blocked.uri, createdAt: ledger.time() })
  await ledger.create(dan, ITEM, { list: curated.uri, subject: alice.did, createdAt: ledger.time() }) // not dan's to fill
}

/** One generator that answers, one that fails, one whose posts are partly gone; and one whose service is nowhere. */
async function writeFeeds(world, ledger, { alice, bob, carol }, crowd) {
  const names = ['good', 'broken', 'empty', 'gaps']
  const uris = Object.fromEntries(names.map((name) => [name, `at://${bob.did}/app.bsky.feed.generator/${name}`]))
  const posts = ['wide', 'gallery', 'quote', 'crowd-1', 'crowd-2', 'crowd-3', 'deep-4'].map((key) => ledger.posts[key].uri)
  const gaps = [posts[0], ledger.posts.gone.uri, `at://${alice.did}/app.bsky.feed.post/3jzfcijpj2z2a`, posts[3]]
  const answer = (feed, cursor) => ({ encoding: 'application/json', body: { feed: feed.map((post) => ({ post })), cursor } })
  const served = await world.network.createFeedGen({
    [uris.good]: async ({ params }) => {
      const start = Number(params.cursor ?? 0)
      const end = start + Math.min(params.limit ?? 50, 3)
      return answer(posts.slice(start, end), end < posts.length ? String(end) : undefined)
    },
    [uris.broken]: async () => {
      throw new Error('out of order')
    },
    [uris.empty]: async () => answer([]),
    [uris.gaps]: async () => answer(gaps),
  })
  for (const name of names) {
    const record = {
      did: served.did,
      displayName: `Feed ${name}`,
      description: `It is ${name}`,
      createdAt: ledger.time(),
      ...(name === 'good' ? { contentMode: 'app.bsky.feed.defs#contentModeVideo', acceptsInteractions: true } : {}),
    }
    await ledger.keep(`feed-${name}`, bob, 'app.bsky.feed.generator', record, { rkey: name })
  }
  const nowhere = { did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa', displayName: 'Nowhere', createdAt: ledger.time() }
  await ledger.keep('feed-nowhere', carol, 'app.bsky.feed.generator', nowhere, { rkey: 'nowhere' })
  for (const person of crowd.slice(0, 7)) {
    await ledger.create(person, 'app.bsky.feed.like', { subject: ledger.records['feed-good'], createdAt: ledger.time() })
  }
}

async function writeStarterPacks(ledger, { bob, carol, judy }, crowd) {
  const list = await ledger.keep('reference-list', bob, LIST, {
    name: 'Begin with',
    purpose: 'app.bsky.graph.defs#referencelist',
    createdAt: ledger.time(),
  })
  for (const { did } of crowd.slice(0, 15)) {
    await ledger.create(bob, ITEM, { list: list.uri, subject: did, createdAt: ledger.time() })
  }
  await ledger.keep('crowd-pack', bob, 'app.bsky.graph.starterpack', {
    name: 'Begin with the crowd',
    description: 'Fifteen of them',
    list: list.uri,
    feeds: ['good', 'gaps'].map((name) => ({ uri: ledger.records[`feed-${name}`].uri })),
    createdAt: ledger.time(),
  })
  await ledger.keep('listless-pack', carol, 'app.bsky.graph.starterpack', {
    name: 'Whose list is gone',
    list: `at://${carol.did}/${LIST}/3jzfcijpj2z2a`,
    createdAt: ledger.time(),
  })
  const pack = ledger.records['crowd-pack']
  for (const person of [judy, crowd[5], crowd[15]]) {
    await person.agent.upsertProfile((profile) => ({
      createdAt: ledger.time(),
      ...profile,
      joinedViaStarterPack: { uri: pack.uri, cid: pack.cid },
    }))
  }
}

async function writeQuotesOfEverything(ledger, { alice, bob, erin, mallory, judy }) {
  const labeler = `at://${mallory.did}/app.bsky.labeler.service/self`
  const { data } = await mallory.agent.com.atproto.repo.getRecord({
    repo: mallory.did,
    collection: 'app.bsky.labeler.service',
    rkey: 'self',
  })
  const things = {
    feed: ledger.records['feed-good'],
    list: ledger.records['crowd-list'],
    pack: ledger.records['crowd-pack'],
    labeler: { uri: labeler, cid: data.cid },
    'quote-of-quote': ledger.ref('quote'),
    video: ledger.ref('clip'),
    gallery: ledger.ref('gallery'),
    card: ledger.ref('article'),
    both: ledger.ref('quote-with-picture'),
    answer: ledger.ref('answer'),
    deactivated: ledger.ref('silenced'),
  }
  for (const [name, record] of Object.entries(things)) {
    await ledger.post(`quote-of-${name}`, erin, { text: `Look at this ${name}`, embed: recordEmbed(record) })
  }
  const media = { $type: 'app.bsky.embed.external', external: { uri: PINNED_DOMAIN, title: 'T', description: 'D' } }
  await ledger.post('list-with-card', judy, { text: 'A list and a card', embed: withMedia(things.list, media) })
  for (const [number, person] of [alice, bob, judy].entries()) {
    await ledger.post(`quoted-${number}`, person, { text: `Quote ${number}`, embed: recordEmbed(ledger.ref('wide')) })
  }
}

async function gate(ledger, key, person, allow, hiddenReplies) {
  const { uri: post } = ledger.posts[key]
  const record = { post, createdAt: ledger.time(), ...(allow ? { allow } : {}), ...(hiddenReplies ? { hiddenReplies } : {}) }
  await ledger.create(person, THREAD_GATE, record, { rkey: post.split('/').at(-1) })
}

const rule = (name, more = {}) => ({ $type: `${THREAD_GATE}#${name}`, ...more })

/** Threads that let only some answer: the answers come all the same, and break the rule or do not. */
async function writeGates(ledger, { alice, bob, carol, judy }, crowd) {
  const [first, second, , fourth] = crowd
  const gates = {
    'gate-nobody': [],
    'gate-mentioned': [rule('mentionRule')],
    'gate-following': [rule('followingRule')],
    'gate-followers': [rule('followerRule')],
    'gate-list': [rule('listRule', { list: ledger.records['crowd-list'].uri })],
    'gate-several': [rule('mentionRule'), rule('listRule', { list: ledger.records['crowd-list'].uri })],
  }
  const mention = {
    index: { byteStart: 0, byteEnd: 4 },
    features: [{ $type: 'app.bsky.richtext.facet#mention', did: first.did }],
  }
  for (const [key, allow] of Object.entries(gates)) {
    await ledger.post(key, alice, { text: `@one may answer: ${key}`, facets: [mention] })
    await gate(ledger, key, alice, allow)
    await ledger.settle()
    for (const person of [first, second, fourth, judy, bob, alice]) {
      await ledger.reply(`${key}-${person.name}`, person, key, { text: `${person.name} tries` })
    }
  }
  await ledger.post('hiding', carol, { text: 'I hide what I dislike' })
  for (const person of [first, second, bob]) await ledger.reply(`hiding-${person.name}`, person, 'hiding', { text: 'Hm' })
  await ledger.reply('hiding-below', judy, `hiding-${second.name}`, { text: 'Below what is hidden' })
  await gate(ledger, 'hiding', carol, undefined, [ledger.posts[`hiding-${second.name}`].uri])
  await writePostGates(ledger, { alice, bob, carol }, crowd)
}

async function writePostGates(ledger, { alice, bob, carol }, crowd) {
  await ledger.post('detacher', alice, { text: 'Quote me, if I let you' })
  await ledger.post('detached', bob, { text: 'I do', embed: recordEmbed(ledger.ref('detacher')) })
  await ledger.post('attached', carol, { text: 'Me too', embed: recordEmbed(ledger.ref('detacher')) })
  const { uri } = ledger.posts.detacher
  const detachedEmbeddingUris = [ledger.posts.detached.uri]
  const rkey = uri.split('/').at(-1)
  await ledger.create(alice, POST_GATE, { post: uri, detachedEmbeddingUris, createdAt: ledger.time() }, { rkey })
  await ledger.post('unquotable', alice, { text: 'Do not quote' })
  const closed = ledger.posts.unquotable.uri
  const embeddingRules = [{ $type: `${POST_GATE}#disableRule` }]
  await ledger.create(alice, POST_GATE, { post: closed, embeddingRules, createdAt: ledger.time() }, { rkey: closed.split('/').at(-1) })
  await ledger.settle()
  await ledger.post('quote-of-unquotable', crowd[6], { text: 'I do not care', embed: recordEmbed(ledger.ref('unquotable')) })
}

/** Blocks between those who spoke with each other before: replies and quotes across them. */
async function writeBlocks(ledger, { bob, carol, erin, judy, mallory }, crowd) {
  await ledger.post('before-block', erin, { text: 'We were friends' })
  await ledger.reply('blocked-answer', mallory, 'before-block', { text: 'We were' })
  await ledger.reply('below-blocked', bob, 'blocked-answer', { text: 'What happened?' })
  await ledger.post('blocked-quote', mallory, { text: 'As I said', embed: recordEmbed(ledger.ref('before-block')) })
  await ledger.block(erin, mallory)
  await ledger.block(crowd[7], carol)
  await ledger.block(judy, crowd[8])
}

async function writeProfiles(world, ledger, { alice, bob, carol, dan, erin }, crowd) {
  const pin = async (person, key) => {
    await person.agent.upsertProfile((profile) => ({ ...profile, pinnedPost: ledger.ref(key) }))
  }
  await pin(alice, 'pictures')
  await pin(carol, 'hello') // not hers
  await pin(dan, 'gone')
  await pin(crowd[1], 'crowd-1')
  const banner = await upload(bob, png(30, 10, [0, 0, 200]), 'image/png')
  const labels = { $type: 'com.atproto.label.defs#selfLabels', values: [{ val: '!no-unauthenticated' }] }
  await bob.agent.upsertProfile((profile) => ({ ...profile, banner, pronouns: 'he/him', website: 'https://bob.example.com' }))
  await crowd[2].agent.upsertProfile((profile) => ({ ...profile, labels }))
  const status = {
    status: 'app.bsky.actor.status#live',
    embed: { $type: 'app.bsky.embed.external', external: { uri: 'https://www.twitch.tv/x', title: 'Live', description: '' } },
    durationMinutes: 240,
    createdAt: new Date().toISOString(),
  }
  await ledger.create(alice, 'app.bsky.actor.status', status, { rkey: 'self' })
  await ledger.create(erin, 'app.bsky.actor.status', { ...status, durationMinutes: 5, createdAt: '2026-01-01T00:00:00Z' }, { rkey: 'self' })
  await loseHandle(world, crowd[9])
}

/** The account names a domain that does not name it. */
async function loseHandle({ hosts }, person) {
  const { ctx } = hosts[person.host]
  const handle = `${person.name}.nowhere.test`
  await ctx.plcClient.updateHandle(person.did, ctx.plcRotationKey, handle)
  await ctx.sequencer.sequenceIdentity(person.did, handle)
  person.handle = handle
}
