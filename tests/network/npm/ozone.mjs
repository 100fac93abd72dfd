/**
 * The official labeler, Ozone, for an account of the network of peer.mjs, until standard input closes.
 *
 *   DB_POSTGRES_URL=… node ozone.mjs ADDRESSES        (the line of JSON that peer.mjs printed)
 *
 * The account is made on "alpha", its document names Ozone's service and key, and it has the record of a labeler. When Ozone serves,
 * a line of JSON says {"did", "url"}. Then each line of standard input, {"subject": DID or {"uri", "cid"}, "create": [values],
 * "negate": [values]}, is an act of moderation, answered by {} when it is done.
 * What the servers log goes where LOG_DESTINATION says.
 */
import { createInterface } from 'node:readline'

import { AtpAgent } from '@atproto/api'
import { Secp256k1Keypair } from '@atproto/crypto'
import { TestOzone } from '@atproto/dev-env'
import * as plc from '@did-plc/lib'

import { freePort, keepOnLoopback } from './loopback.mjs'

const network = JSON.parse(process.argv[2])
const newKey = () => Secp256k1Keypair.create({ exportable: true })

/** An account that can sign for its own document; its document names a labeler. */
async function makeLabeler(signingKey, url) {
  const rotationKey = await newKey()
  const agent = new AtpAgent({ service: network.pds.alpha.url })
  await agent.createAccount({
    email: 'ozone@example.test',
    handle: `ozone${network.pds.alpha.handleDomain}`,
    password: 'hunter2-hunter2',
    recoveryKey: rotationKey.did(),
  })
  const did = agent.assertDid
  await new plc.Client(network.plc).updateData(did, rotationKey, (known) => ({
    ...known,
    services: { ...known.services, atproto_labeler: { type: 'AtprotoLabeler', endpoint: url } },
    verificationMethods: { ...known.verificationMethods, atproto_label: signingKey.did() },
  }))
  await agent.com.atproto.repo.putRecord({
    repo: did,
    collection: 'app.bsky.labeler.service',
    rkey: 'self',
    record: { $type: 'app.bsky.labeler.service', policies: { labelValues: ['spam', 'rude'] }, createdAt: new Date().toISOString() },
  })
  return did
}

function subjectOf(subject) {
  return typeof subject === 'string'
    ? { $type: 'com.atproto.admin.defs#repoRef', did: subject }
    : { $type: 'com.atproto.repo.strongRef', ...subject }
}

keepOnLoopback()
const port = await freePort()
const signingKey = await newKey()
const did = await makeLabeler(signingKey, `http://localhost:${port}`)
const ozone = await TestOzone.create({
  port,
  signingKey,
  serverDid: did,
  plcUrl: network.plc,
  dbPostgresUrl: process.env.DB_POSTGRES_URL,
  dbPostgresSchema: 'ozone',
  // No AppView is behind it: what it would be asked for here is of no matter.
  appviewUrl: 'https://appview.invalid',
  appviewDid: 'did:web:appview.invalid',
})
const moderator = ozone.getModClient()
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)
say({ did, url: ozone.url })

for await (const line of createInterface({ input: process.stdin })) {
  const { subject, create = [], negate = [] } = JSON.parse(line)
  await moderator.emitEvent({
    event: { $type: 'tools.ozone.moderation.defs#modEventLabel', createLabelVals: create, negateLabelVals: negate },
    subject: subjectOf(subject),
  })
  say({})
}
await ozone.close()
process.exit(0)
