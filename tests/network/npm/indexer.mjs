/**
 * The indexer of the official AppView alone, into a schema of its own, for the bench of the firehose:
 *
 *   DB_POSTGRES_URL=… node indexer.mjs
 *
 * The first line on standard output is `{"ready":true}`. Then each line of standard input, `{"relay":URL,"last":SEQ}`, has
 * it follow a relay from its beginning until everything up to that event is indexed. Meanwhile it says every few seconds how
 * many operations it has dealt with, `{"dealt":N}`, and in the end is answered by one line: seconds, seconds of this process's
 * processor, bytes resident at the highest, operations dealt with, records held. When nothing moves for STALL_SECONDS it ends,
 * and says where it was.
 *
 * It is its best case: documents and handles are known without asking anybody. What it logs goes to standard error.
 */
import { createInterface } from 'node:readline'

import { Database } from '@atproto/bsky'
import { RepoSubscription } from '@atproto/dev-env'
import { IdResolver } from '@atproto/identity'

const POLL_MILLIS = 5
const TELL_MILLIS = 5_000
const STALL_SECONDS = Number(process.env.STALL_SECONDS ?? 60)

const handleOf = (did) => `${did.slice(-24)}.test`
const didOf = (handle) => `did:plc:${handle.slice(0, 24)}`

/** Answers at once for every account. */
function knowingAll() {
  const resolver = new IdResolver({ plcUrl: 'http://127.0.0.1:1' })
  resolver.did.resolve = async () => null
  resolver.did.resolveAtprotoData = async (did) => ({ did, handle: handleOf(did), signingKey: '', pds: '' })
  resolver.handle.resolve = async (handle) => didOf(handle)
  return resolver
}

/** Counts in `dealt` the operations and identities that an indexing service has dealt with: it looks at the handle for each. */
function counting(service) {
  const done = { dealt: 0 }
  const index = service.indexHandle.bind(service)
  service.indexHandle = async (...given) => {
    await index(...given)
    done.dealt += 1
  }
  return done
}

/** Waits for an event's number; events of different accounts are indexed side by side, so that it may come in leaps. */
async function reached(last, subscription, done) {
  let [dealt, moved, told] = [0, Date.now(), Date.now()]
  while ((subscription.getCursor() ?? 0) < last) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLIS))
    if (done.dealt > dealt) {
      ;[dealt, moved] = [done.dealt, Date.now()]
    } else if (Date.now() - moved > 1000 * STALL_SECONDS) {
      const cursor = subscription.getCursor()
      throw new Error(`nothing moved for ${STALL_SECONDS} s: ${dealt} operations dealt with, at event ${cursor} of ${last}`)
    }
    if (Date.now() - told > TELL_MILLIS) {
      told = Date.now()
      console.log(JSON.stringify({ dealt }))
    }
  }
}

async function follow(db, idResolver, { relay, last }) {
  const subscription = new RepoSubscription({ service: relay.replace('http', 'ws'), db, idResolver })
  const done = counting(subscription.indexingSvc)
  const started = process.hrtime.bigint()
  const used = process.cpuUsage()
  void subscription.start()
  await reached(last, subscription, done)
  await subscription.processAll()
  const { user, system } = process.cpuUsage(used)
  const seconds = Number(process.hrtime.bigint() - started) / 1e9
  await subscription.destroy()
  const { count } = await db.db.selectFrom('record').select((eb) => eb.fn.countAll().as('count')).executeTakeFirst()
  return {
    seconds,
    cpu_seconds: (user + system) / 1e6,
    peak_bytes: process.resourceUsage().maxRSS * 1024,
    dealt: done.dealt,
    records: Number(count),
  }
}

const db = new Database({ url: process.env.DB_POSTGRES_URL, schema: 'official', poolSize: 10 })
await db.migrateToLatestOrThrow()
const idResolver = knowingAll()
console.log(JSON.stringify({ ready: true }))
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await follow(db, idResolver, JSON.parse(line))))
}
await db.close()
