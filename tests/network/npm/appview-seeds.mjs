/**
 * What is written to the network of appview.mjs, part by part. Each part waits for the AppView where the order of its
 * indexing would change what it answers: an answer after what it answers, a quote after what it quotes.
 *
 *   official   the seeds of dev-env, each with accounts of its own
 *   ours       what community.mjs writes, and the larger things of crowd.mjs
 *   live       what happens when the backfill is over
 */
import { SeedClient, authorFeedSeed, followsSeed, quotesSeed, repostsSeed, seedThreadV2, usersBulkSeed, verificationsSeed } from '@atproto/dev-env'

import * as community from './community.mjs'
import * as crowd from './crowd.mjs'
import { Ledger } from './ledger.mjs'
import { deactivate, move, takeDown } from './people.mjs'

const BULK_USERS = 60
const BULK_POSTS = 130

const NAMED_SEEDS = {
  feed: authorFeedSeed,
  quotes: quotesSeed,
  reposts: repostsSeed,
  follows: followsSeed,
  ver: verificationsSeed,
}
/** Those that set nothing in the AppView's own tables, which no other AppView could know. */
const THREAD_SEEDS = ['simple', 'long', 'deep', 'branchingFactor', 'annotateMoreReplies', 'annotateOP', 'sort']
const THREAD_SEEDS_OF_VIEWERS = ['bumpOpAndViewer', 'bumpGroupSorting', 'bumpFollows', 'mutes', 'threadgated']

/** The client of dev-env's seeds; each seed's accounts get a name of their own, as all of them make an "alice". */
class NamedSeedClient extends SeedClient {
  constructor({ network, settle }, suffix) {
    const waiting = Object.create(network, { processAll: { value: settle } })
    super(waiting, network.pds.getAgent(), network.pds.getClient())
    this.suffix = suffix
    this.lastAccount = Promise.resolve()
  }

  /** One after the other: the directory's transactions on PostgreSQL get into each other's way, and one of them fails. */
  createAccount(name, given) {
    const handle = given.handle.replace(/\.test$/, `${this.suffix}.test`)
    const create = () => super.createAccount(name, { ...given, handle, email: `${handle}@example.com` })
    this.lastAccount = this.lastAccount.then(create)
    return this.lastAccount
  }

  async reply(...given) {
    await this.network.processAll()
    return super.reply(...given)
  }

  async post(by, text, facets, images, quote, overrides) {
    if (quote) await this.network.processAll()
    return super.post(by, text, facets, images, quote, overrides)
  }
}

/** Remembers what is written, and lets the AppView catch up before a record that speaks of another. */
class SettledLedger extends Ledger {
  constructor(settle) {
    super()
    this.settle = settle
  }

  async post(key, person, record, about) {
    if (record.reply || record.embed) await this.settle()
    return super.post(key, person, record, about)
  }
}

async function writeOfficial(world) {
  for (const [name, seed] of Object.entries(NAMED_SEEDS)) {
    const client = new NamedSeedClient(world, `-${name}`)
    await seed(client)
    await restoreHandles(world, client)
  }
  for (const name of [...THREAD_SEEDS, ...THREAD_SEEDS_OF_VIEWERS]) {
    await seedThreadV2[name](new NamedSeedClient(world, ''))
  }
  await usersBulkSeed(new NamedSeedClient(world, ''), BULK_USERS)
  return {}
}

let people
let ledger

async function writeOurs(world) {
  people = await community.gather(world.addresses)
  ledger = new SettledLedger(world.settle)
  await community.write(ledger, people, BULK_POSTS)
  await crowd.write(world, ledger, people)
  people.olivia = await move(world.addresses, people.olivia, 'beta')
  await ledger.post('settled', people.olivia, { text: 'Written where I live now' })
  return documentOf()
}

async function writeLive(world) {
  await crowd.writeLive(world, ledger, people)
  // The AppView hears both hosts without a relay, which would have dropped what the old one said after the move.
  await people.olivia.agent.com.atproto.server.activateAccount()
  await deactivate(people.grace)
  await takeDown(world.addresses, people.ivan)
  return documentOf()
}

function documentOf() {
  const accounts = Object.values(people).map(({ name, did, handle, host, state }) => ({ name, did, handle, host, state }))
  return { accounts, posts: ledger.posts, records: ledger.records }
}

/** Handles that a seed changed in the AppView's table alone: their domains go on naming the accounts. */
async function restoreHandles({ network, settle }, { accounts }) {
  await settle()
  for (const [did, { handle }] of Object.entries(accounts)) {
    await network.bsky.db.db.updateTable('actor').set({ handle }).where('did', '=', did).execute()
  }
}

/** Labels that seeds wrote straight into the AppView's table: no labeler says them, so that nobody else can know them. */
export async function forgetLabels({ network }) {
  await network.bsky.db.db.deleteFrom('label').execute()
}

export const SEEDS = { official: writeOfficial, ours: writeOurs, live: writeLive }
