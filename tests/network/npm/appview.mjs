/**
 * The official network with all that stands behind an application: PLC directory, two PDSes ("alpha" and "beta"), AppView,
 * bsync and Ozone, on loopback, seeded step by step, until standard input closes.
 *
 *   DB_POSTGRES_URL=… PLC_DATABASE=… REDIS_HOST=127.0.0.1:6379 TMPDIR=FOLDER node appview.mjs
 *
 * The first line on standard output says where the servers listen (the fields of peer.mjs, and `appview`, `appviewDid`,
 * `ozone`, `ozoneDid`). Then each line of standard input is an order, and each is answered by one line of JSON:
 *
 *   seed NAME    writes a part of the network's contents (see SEEDS) and waits until the AppView has indexed it
 *   settle       waits until the AppView has indexed everything
 *
 * Each answer names, in `heads`, the number of the last event of each PDS.
 * What the servers log goes to standard error.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { RepoSubscription, TestNetwork, TestPds } from '@atproto/dev-env'
import plc from '@did-plc/server'

import { forgetLabels, SEEDS } from './appview-seeds.mjs'
import { keepOnLoopback } from './loopback.mjs'
import { png } from './media.mjs'

const ADMIN_PASSWORD = 'admin-pass' // of dev-env's servers, which only this machine reaches
const SETTLE_MILLIS = 120_000
const PICTURES = ['key-portrait-small', 'key-portrait-large', 'key-landscape-small', 'key-landscape-large', 'key-alt']
const HANDLE_DOMAINS = { alpha: ['.alpha.test', '.test'], beta: ['.beta.test'] }

/** The seeds of dev-env upload pictures that its package lacks, by a path relative to a neighbour of it. */
function makePictures() {
  const packages = fileURLToPath(new URL('./node_modules/@atproto/', import.meta.url))
  const folder = join(packages, 'dev-env', 'assets')
  mkdirSync(folder, { recursive: true })
  PICTURES.forEach((name, number) => {
    const path = join(folder, `${name}.jpg`)
    if (!existsSync(path)) writeFileSync(path, png(40 + number, 30, [200, 40 * number, 90]))
  })
  process.chdir(join(packages, 'bsky'))
}

/** The PDS that gives out a handle: that of the longest domain which it is below. */
function hostOf(handle, hosts) {
  const domains = Object.entries(HANDLE_DOMAINS).flatMap(([name, list]) => list.map((domain) => [domain, hosts[name]]))
  const found = domains.filter(([domain]) => handle.endsWith(domain)).sort(([one], [other]) => other.length - one.length)
  return found[0]?.[1]
}

/** Handles are asked of the PDS that gives them out; nobody answers for any other, as nothing here may leave the machine. */
function resolveHandlesAt(hosts, idResolver) {
  idResolver.handle.resolve = async (handle) => {
    const host = hostOf(handle, hosts)
    if (host === undefined) return undefined
    const url = new URL('/xrpc/com.atproto.identity.resolveHandle', host.url)
    url.searchParams.set('handle', handle)
    const answer = await fetch(url)
    return answer.ok ? (await answer.json()).did : undefined
  }
}

async function start() {
  const db = plc.Database.postgres({ url: process.env.PLC_DATABASE })
  await db.migrateToLatestOrThrow()
  const network = await TestNetwork.create({
    dbPostgresSchema: 'conformance',
    plc: { db },
    pds: { serviceHandleDomains: HANDLE_DOMAINS.alpha },
    bsky: {
      cdnUrl: 'https://cdn.test/img',
      videoPlaylistUrlPattern: 'https://video.test/watch/%s/%s/playlist.m3u8',
      videoThumbnailUrlPattern: 'https://video.test/watch/%s/%s/thumbnail.jpg',
    },
  })
  const { bsky } = network
  const beta = await TestPds.create({
    didPlcUrl: network.plc.url,
    bskyAppViewUrl: bsky.url,
    bskyAppViewDid: bsky.ctx.cfg.serverDid,
    serviceHandleDomains: HANDLE_DOMAINS.beta,
  })
  const hosts = { alpha: network.pds, beta }
  for (const { ctx } of [bsky, network.pds, beta]) resolveHandlesAt(hosts, ctx.idResolver)
  resolveHandlesAt(hosts, bsky.dataplane.idResolver)
  const subscription = new RepoSubscription({
    service: `ws://localhost:${beta.port}`,
    db: bsky.db,
    idResolver: bsky.dataplane.idResolver,
  })
  void subscription.start()
  return { network, hosts, subscriptions: { alpha: bsky.sub, beta: subscription } }
}

/** Waits until the AppView has indexed all that both PDSes have said. */
async function settle({ hosts, subscriptions }) {
  const closesAt = Date.now() + SETTLE_MILLIS
  for (const [name, { ctx }] of Object.entries(hosts)) {
    await ctx.backgroundQueue.processAll()
    const last = await ctx.sequencer.curr()
    while (last && (subscriptions[name].getCursor() ?? 0) < last) {
      if (Date.now() > closesAt) throw new Error(`the AppView has not reached ${last} of ${name}`)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
  for (const subscription of Object.values(subscriptions)) await subscription.processAll()
}

/** The number of the last event that each PDS has sent. */
async function headsOf({ hosts }) {
  const heads = Object.entries(hosts).map(async ([name, { ctx }]) => [name, await ctx.sequencer.curr()])
  return Object.fromEntries(await Promise.all(heads))
}

function addressesOf({ network, hosts }) {
  const pds = Object.fromEntries(
    Object.entries(hosts).map(([name, host]) => [
      name,
      { url: host.url, did: host.ctx.cfg.service.did, handleDomain: HANDLE_DOMAINS[name][0] },
    ]),
  )
  return {
    plc: network.plc.url,
    adminPassword: ADMIN_PASSWORD,
    pds,
    appview: network.bsky.url,
    appviewDid: network.bsky.serverDid,
    ozone: network.ozone.url,
    ozoneDid: network.ozone.ctx.cfg.service.did,
  }
}

keepOnLoopback()
makePictures()
const started = await start()
const addresses = addressesOf(started)
const world = { addresses, network: started.network, hosts: started.hosts, settle: () => settle(started) }
const say = (document) => process.stdout.write(`${JSON.stringify(document)}\n`)
say(addresses)

const orders = createInterface({ input: process.stdin })
for await (const line of orders) {
  const [order, name] = line.trim().split(' ')
  if (order !== 'settle' && order !== 'seed') throw new Error(`unknown order: ${line}`)
  const written = order === 'seed' ? await SEEDS[name](world) : {}
  await world.settle()
  await forgetLabels(world)
  say({ ...written, heads: await headsOf(started) })
}
await started.subscriptions.beta.destroy()
await started.hosts.beta.close()
await started.network.close()
process.exit(0)
