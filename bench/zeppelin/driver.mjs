// Drives Zeppelin's own loader over CAR files, for the ratio of bench/backfill.py. Nothing of ours is measured here.
//
//   bun driver.mjs prepare | parse | load | index      (one step; the database's URL in DATABASE_URL)
//
// A step says `ready` when all is imported and connected, takes lines from standard input, and begins at an empty one:
// so several processes begin at once, and none is charged for its start. Its end is one line of JSON. What is done with
// a repository, and in which order, is what Zeppelin's backfill does between fetching it and having it in its tables
// (decode, validate, date, convert, write both sides), without its queue and its messages between processes, which
// would only cost it time.
import { createInterface } from 'node:readline'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import * as schemas from '@atcute/bluesky'
import { RepoReader } from '@atcute/car/v4'
import { fromBytes } from '@atcute/cbor'
import { is } from '@atcute/lexicons'
import { isBlob, isBytes, isCidLink, isLegacyBlob } from '@atcute/lexicons/interfaces'
import { parse as parseTid } from '@atcute/tid'
import { BlobRef } from '@atproto/lexicon'
import { AtUri } from '@atproto/syntax'
import { BackgroundQueue, Database } from '@zeppelin-social/bsky-backfill'
import { IndexingService } from '@zeppelin-social/bsky-backfill/dist/data-plane/server/indexing/index.js'
import { CID } from 'multiformats/cid'

const BATCH_RECORDS = 50_000
const STEP_SECONDS = 1_800
const CONNECTIONS = 50 // as its own writers have; a connection is held for each table of a batch

const VALIDATORS = {
  'app.bsky.actor.profile': schemas.AppBskyActorProfile,
  'app.bsky.actor.status': schemas.AppBskyActorStatus,
  'app.bsky.feed.generator': schemas.AppBskyFeedGenerator,
  'app.bsky.feed.like': schemas.AppBskyFeedLike,
  'app.bsky.feed.post': schemas.AppBskyFeedPost,
  'app.bsky.feed.postgate': schemas.AppBskyFeedPostgate,
  'app.bsky.feed.repost': schemas.AppBskyFeedRepost,
  'app.bsky.feed.threadgate': schemas.AppBskyFeedThreadgate,
  'app.bsky.graph.block': schemas.AppBskyGraphBlock,
  'app.bsky.graph.follow': schemas.AppBskyGraphFollow,
  'app.bsky.graph.list': schemas.AppBskyGraphList,
  'app.bsky.graph.listblock': schemas.AppBskyGraphListblock,
  'app.bsky.graph.listitem': schemas.AppBskyGraphListitem,
  'app.bsky.graph.starterpack': schemas.AppBskyGraphStarterpack,
  'app.bsky.graph.verification': schemas.AppBskyGraphVerification,
  'app.bsky.labeler.service': schemas.AppBskyLabelerService,
  'app.bsky.notification.declaration': schemas.AppBskyNotificationDeclaration,
  'chat.bsky.actor.declaration': schemas.ChatBskyActorDeclaration,
}

const steps = { prepare, parse, load, index }

const step = steps[process.argv[2]]
if (!step) throw new Error(`no such step: ${process.argv[2]}`)
// An insert that fails leaves a promise that never settles (see copyIntoTable): nothing else would end the process.
setTimeout(() => {
  console.error(`${step.name} takes longer than ${STEP_SECONDS} seconds`)
  process.exit(1)
}, STEP_SECONDS * 1000)
const db = new Database({ url: process.env.DATABASE_URL, schema: 'bsky', poolSize: CONNECTIONS })
await db.pool.query('SELECT 1')
const lines = await toldToBegin()
const begun = process.cpuUsage()
const result = await step(lines)
const { user, system } = process.cpuUsage(begun)
console.log(JSON.stringify({ ...result, cpuSeconds: (user + system) / 1e6, peakBytes: peakBytes() }))
process.exit(0)

// The official schema, without the indexes that Zeppelin drops before it begins; gives the statements that make them.
async function prepare() {
  await db.migrateToLatestOrThrow()
  const { rows } = await db.pool.query(`
    SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS statement
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE c.relnamespace = 'bsky'::regnamespace AND c.relname LIKE '%\\_idx'
      AND NOT EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = i.indexrelid)`)
  for (const { name } of rows) await db.pool.query(`DROP INDEX ${name}`)
  return { indexes: rows.map(({ statement }) => statement) }
}

// Reads and decodes only: no validation, nothing kept.
async function parse(paths) {
  let records = 0
  for (const path of paths) {
    for (const entry of RepoReader.fromUint8Array(readFileSync(path))) {
      if (entry.record) records += 1
    }
  }
  return { records }
}

async function load(paths) {
  const service = new IndexingService(db, undefined, new BackgroundQueue(db))
  const counts = { records: 0, unknown: 0, invalid: 0, written: 0 }
  let batch = []
  for (const path of paths) {
    const did = basename(path, '.car')
    for (const entry of RepoReader.fromUint8Array(readFileSync(path))) {
      const row = accepted(did, entry, counts)
      if (row) batch.push(row)
    }
    if (batch.length >= BATCH_RECORDS) {
      await write(service, batch)
      counts.written += batch.length
      batch = []
    }
  }
  await write(service, batch)
  counts.written += batch.length
  return counts
}

// Every statement at once, as Zeppelin's own script has it.
async function index(statements) {
  await Promise.all(statements.map((statement) => db.pool.query(statement)))
  return { records: 0 }
}

// The lines up to the empty one.
async function toldToBegin() {
  console.log('ready')
  const lines = []
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === '') return lines
    lines.push(line)
  }
  throw new Error('standard input ended before the empty line')
}

function peakBytes() {
  const [, kibibytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))
  return Number(kibibytes) * 1024
}

// A record as the loader takes it; null when it is of no known collection or not valid, which Zeppelin leaves out.
function accepted(did, { collection, rkey, cid, record }, counts) {
  counts.records += 1
  const validator = VALIDATORS[collection]
  if (!validator) {
    counts.unknown += 1
    return null
  }
  if (!is(validator.mainSchema, record)) {
    counts.invalid += 1
    return null
  }
  return {
    collection,
    uri: new AtUri(`at://${did}/${collection}/${rkey}`),
    cid: CID.decode(cid.bytes),
    timestamp: new Date(seenAt(record, rkey)).toISOString(),
    obj: toLex(record),
  }
}

// When the record is said to have been seen: as it says itself, else as its key does, and never in the future.
function seenAt(record, rkey) {
  const now = Date.now()
  const createdAt = typeof record.createdAt === 'string' ? Date.parse(record.createdAt) : Number.NaN
  if (createdAt) return Math.min(createdAt, now)
  try {
    return Math.min(Math.floor(parseTid(rkey).timestamp / 1000), now)
  } catch {
    return now // the key is no TID
  }
}

// What the parser gave, in the classes that the loader knows.
function toLex(value) {
  if (Array.isArray(value)) return value.map(toLex)
  if (value === null || typeof value !== 'object') return value
  if (isCidLink(value)) return CID.decode(value.bytes)
  if (isBytes(value)) return fromBytes(value)
  if (isBlob(value)) return new BlobRef(CID.decode(value.ref.bytes), value.mimeType, value.size)
  if (isLegacyBlob(value)) return new BlobRef(CID.parse(value.cid), value.mimeType, -1, value)
  const converted = {}
  for (const key in value) converted[key] = toLex(value[key])
  return converted
}

async function write(service, rows) {
  const byCollection = new Map()
  for (const row of rows) {
    const same = byCollection.get(row.collection)
    if (same) same.push(row)
    else byCollection.set(row.collection, [row])
  }
  await Promise.all([
    service.bulkIndexToCollectionSpecificTables(byCollection, { validate: false }),
    service.bulkIndexToRecordTable(rows),
  ])
}
