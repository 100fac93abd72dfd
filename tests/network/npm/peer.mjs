/**
 * The official network on loopback: one PLC directory and two PDSes ("alpha" and "beta"), until standard input closes.
 *
 *   node peer.mjs FOLDER PLC_DATABASE
 *
 * FOLDER takes the databases and blobs of the PDSes, PLC_DATABASE is the URL of the directory's (PostgreSQL): without one
 * of its own the directory keeps everything in memory, and its export is empty. When all servers answer, one line of JSON goes to standard output:
 * {"plc": URL, "adminPassword": text, "pds": {"alpha": {"url", "did", "handleDomain"}, "beta": {…}}}.
 * What the servers log goes to standard error. Nothing is seeded here (seed.mjs does that).
 */
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import { PDS } from '@atproto/pds'
import plc from '@did-plc/server'

import { freePort, keepOnLoopback } from './loopback.mjs'

const HOST_NAMES = ['alpha', 'beta']

async function startPlc(url) {
  const port = await freePort()
  const db = plc.Database.postgres({ url })
  await db.migrateToLatestOrThrow()
  const server = plc.PlcServer.create({ db, port })
  await server.start()
  return { server, url: `http://localhost:${port}` }
}

async function startPds(name, folder, plcUrl, adminPassword) {
  const port = await freePort()
  const dataDirectory = join(folder, name, 'data')
  await mkdir(dataDirectory, { recursive: true })
  const did = `did:web:localhost%3A${port}`
  const handleDomain = `.${name}.test`
  const server = await PDS.fromEnv({
    devMode: true,
    port,
    serviceDid: did,
    dataDirectory,
    blobstoreDiskLocation: join(folder, name, 'blobs'),
    serviceHandleDomains: [handleDomain],
    didPlcUrl: plcUrl,
    plcRotationKeyK256PrivateKeyHex: randomBytes(32).toString('hex'),
    jwtSecret: randomBytes(16).toString('hex'),
    adminPassword,
    inviteRequired: false,
    // Loopback addresses are what this guard is there to refuse.
    disableSsrfProtection: true,
    // No AppView stands behind these hosts; a proxied call shall fail at once and go nowhere.
    bskyAppViewUrl: 'https://appview.invalid',
    bskyAppViewDid: 'did:web:appview.invalid',
  })
  await server.start()
  return { server, url: `http://localhost:${port}`, did, handleDomain }
}

const [folder, plcDatabase] = process.argv.slice(2)
if (!folder || !plcDatabase) throw new Error('usage: node peer.mjs FOLDER PLC_DATABASE')

keepOnLoopback()
const adminPassword = randomBytes(16).toString('hex')
const directory = await startPlc(plcDatabase)
const hosts = {}
for (const name of HOST_NAMES) hosts[name] = await startPds(name, folder, directory.url, adminPassword)

const addresses = Object.fromEntries(
  Object.entries(hosts).map(([name, { url, did, handleDomain }]) => [name, { url, did, handleDomain }]),
)
process.stdout.write(`${JSON.stringify({ plc: directory.url, adminPassword, pds: addresses })}\n`)

async function stop() {
  await Promise.all([...Object.values(hosts), directory].map(({ server }) => server.destroy()))
  process.exit(0)
}
process.stdin.resume()
process.stdin.once('end', stop)
process.once('SIGTERM', stop)
process.once('SIGINT', stop)
