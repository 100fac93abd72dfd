/** Posts of every kind that people write, and what others do with them. */
import { RichText } from '@atproto/api'

import { mp4, png } from './media.mjs'

const FAMILY = '\u{1F468}\u200D\u{1F469}\u200D\u{1F467}\u200D\u{1F466}'

async function upload(person, bytes, encoding) {
  const { data } = await person.agent.uploadBlob(bytes, { encoding })
  return data.blob
}

async function image(person, alt, colour) {
  return {
    image: await upload(person, png(40, 30, colour), 'image/png'),
    alt,
    aspectRatio: { width: 40, height: 30 },
  }
}

async function richText(person, text) {
  const rich = new RichText({ text })
  await rich.detectFacets(person.agent)
  return { text: rich.text, facets: rich.facets }
}

export async function writeProfiles(ledger, people) {
  for (const person of Object.values(people)) {
    if (person.name === 'frank') continue // an account that never wrote anything
    person.displayName = `${person.name.toUpperCase()} \u2728`
    person.description = `I am ${person.name}.\nSecond line with "quotes" and \\ backslashes.`
    const avatar = await upload(person, png(16, 16, [person.name.length * 20, 80, 120]), 'image/png')
    const { displayName, description } = person
    await person.agent.upsertProfile(() => ({ displayName, description, avatar, createdAt: ledger.time() }))
  }
}

/** A profile that changed: the first version must be gone, the second be there. */
export async function editProfile(person) {
  person.description = 'A second version of myself.'
  await person.agent.upsertProfile((profile) => ({ ...profile, description: person.description }))
}

export async function writePosts(ledger, people) {
  const { alice, bob, carol, dan, erin, grace, judy, mallory, niaj, olivia, trent } = people
  await ledger.post('hello', alice, { text: 'Hello, network', langs: ['en'], tags: ['greeting'] })
  await ledger.reply('answer', bob, 'hello', { text: 'Hello, Alice', langs: ['en'] })
  await ledger.reply('answer-to-answer', carol, 'answer', { text: 'Hello, both' })
  await ledger.reply('far-answer', judy, 'hello', { text: 'Hello from another host' })
  await ledger.reply('self-answer', alice, 'hello', { text: 'And one more thing' })
  await ledger.reply('silenced', grace, 'hello', { text: 'Said before I left' })
  await ledger.post('japanese', niaj, { text: `\u3053\u3093\u306B\u3061\u306F ${FAMILY}`, langs: ['ja', 'en-US'] })
  await ledger.post('mention', carol, {
    ...(await richText(carol, `@${alice.handle} see https://example.com/a?b=c%20d \u{1F30A} #sea`)),
    langs: ['en', 'pt-BR'],
  })
  const labels = { $type: 'com.atproto.label.defs#selfLabels', values: [{ val: 'nudity' }] }
  await ledger.post('labelled', mallory, { text: 'Labelled by its author', labels })
  await ledger.post('traveller', olivia, { text: 'Written before I moved' })
  await ledger.post('last-words', trent, { text: 'Signed by the key that I had before I moved' })
  await ledger.post('empty', dan, { text: '' })
  await ledger.post('gone', dan, { text: 'This will be deleted' })
  await ledger.reply('orphan', erin, 'gone', { text: 'An answer to what is gone' })
  await ledger.remove(dan, ledger.posts.gone.uri)
}

export async function writeEmbeds(ledger, { alice, bob, dan, erin, judy, mallory }) {
  const pictures = [await image(alice, 'red', [255, 0, 0]), await image(alice, '', [0, 255, 0])]
  const images = { $type: 'app.bsky.embed.images', images: pictures }
  await ledger.post('pictures', alice, { text: 'Two pictures', embed: images }, { embed: 'images' })

  const external = {
    uri: 'https://example.com/article',
    title: 'An article',
    description: 'What it says',
    thumb: await upload(bob, png(20, 10, [9, 9, 9]), 'image/png'),
  }
  const card = { $type: 'app.bsky.embed.external', external }
  await ledger.post('article', bob, { text: 'Read this', embed: card }, { embed: 'external' })

  const record = ledger.ref('hello')
  const quote = { $type: 'app.bsky.embed.record', record }
  await ledger.post('quote', dan, { text: 'As she says', embed: quote }, { embed: 'record', quotes: 'hello' })

  const media = { $type: 'app.bsky.embed.images', images: [await image(judy, 'blue', [0, 0, 255])] }
  const both = {
    $type: 'app.bsky.embed.recordWithMedia',
    record: { $type: 'app.bsky.embed.record', record: ledger.ref('pictures') },
    media,
  }
  const about = { embed: 'recordWithMedia', quotes: 'pictures' }
  await ledger.post('quote-with-picture', judy, { text: 'Mine is blue', embed: both }, about)

  const video = {
    $type: 'app.bsky.embed.video',
    video: await upload(mallory, mp4(), 'video/mp4'),
    alt: 'nothing moves',
    aspectRatio: { width: 16, height: 9 },
  }
  await ledger.post('clip', mallory, { text: 'A clip', embed: video }, { embed: 'video' })

  const lost = { $type: 'app.bsky.embed.record', record: ledger.ref('gone') }
  await ledger.post('quote-of-gone', erin, { text: 'It was good', embed: lost }, { embed: 'record', quotes: 'gone' })
}

export async function react(ledger, people) {
  const { alice, bob, carol, dan, erin, grace, heidi, ivan, judy, mallory, niaj, olivia, trent } = people
  for (const person of [bob, carol, dan, erin, grace, heidi, ivan, judy, mallory, niaj, olivia, trent]) {
    await ledger.like(person, 'hello')
    await ledger.follow(person, alice)
  }
  const repost = await ledger.repost(bob, 'hello')
  await ledger.repost(judy, 'hello')
  await ledger.repost(grace, 'hello')
  await ledger.repost(alice, 'article')
  await ledger.like(alice, 'answer')
  await ledger.like(carol, 'japanese')
  await ledger.like(niaj, 'pictures', repost)
  for (const subject of [bob, judy, olivia]) await ledger.follow(alice, subject)
  await ledger.block(dan, mallory)
  await ledger.block(judy, erin)
}

/** Taken back: none of these may be counted. */
export async function regret(ledger, { alice, bob, carol, dan }) {
  const hello = ledger.posts.hello
  const article = ledger.posts.article
  const like = await alice.agent.like(hello.uri, hello.cid)
  const repost = await carol.agent.repost(article.uri, article.cid)
  const follow = await bob.agent.follow(dan.did)
  await ledger.remove(alice, like.uri)
  await ledger.remove(carol, repost.uri)
  await ledger.remove(bob, follow.uri)
}
