/** Accounts on the official PDSes, through the official client: made, moved to the other host, switched off. */
import { AtpAgent } from '@atproto/api'
import { Secp256k1Keypair } from '@atproto/crypto'
import plc from '@did-plc/lib'

/** Makes the account `name` on a host; `recoveryKey` is a rotation key that the account's owner keeps. */
export async function signUp(network, hostName, name) {
  const host = network.pds[hostName]
  const agent = new AtpAgent({ service: host.url })
  const recoveryKey = await Secp256k1Keypair.create({ exportable: true })
  const password = `${name}-password`
  const handle = `${name}${host.handleDomain}`
  await agent.createAccount({ handle, password, email: `${name}@example.com`, recoveryKey: recoveryKey.did() })
  return { name, agent, recoveryKey, password, handle, did: agent.assertDid, host: hostName, state: 'active' }
}

/** The published steps of an account migration: repository, blobs, identity, then the old host lets go. */
export async function move(network, person, hostName) {
  const target = network.pds[hostName]
  const old = person.agent
  const handle = `${person.name}${target.handleDomain}`
  const { data: ticket } = await old.com.atproto.server.getServiceAuth({
    aud: target.did,
    lxm: 'com.atproto.server.createAccount',
  })
  const agent = new AtpAgent({ service: target.url })
  await agent.com.atproto.server.createAccount(
    { handle, did: person.did, password: person.password, email: `${person.name}@example.com` },
    { headers: { authorization: `Bearer ${ticket.token}` }, encoding: 'application/json' },
  )
  await agent.login({ identifier: person.did, password: person.password })
  const { data: car } = await old.com.atproto.sync.getRepo({ did: person.did })
  await agent.com.atproto.repo.importRepo(car, { encoding: 'application/vnd.ipld.car' })
  await moveBlobs(old, agent, person.did)
  await repoint(network, person, agent)
  await agent.com.atproto.server.activateAccount()
  await old.com.atproto.server.deactivateAccount({})
  return { ...person, agent, handle, host: hostName, movedFrom: person.host }
}

async function moveBlobs(old, agent, did) {
  const { data } = await agent.com.atproto.repo.listMissingBlobs({})
  for (const { cid } of data.blobs) {
    const blob = await old.com.atproto.sync.getBlob({ did, cid })
    await agent.com.atproto.repo.uploadBlob(blob.data, { encoding: blob.headers['content-type'] })
  }
}

/** Signs the PLC operation with the owner's own rotation key, as one does whose old host is gone. */
async function repoint(network, person, agent) {
  const { data: wanted } = await agent.com.atproto.identity.getRecommendedDidCredentials()
  await new plc.Client(network.plc).updateData(person.did, person.recoveryKey, (current) => ({
    ...current,
    rotationKeys: [person.recoveryKey.did(), ...wanted.rotationKeys],
    verificationMethods: wanted.verificationMethods,
    alsoKnownAs: wanted.alsoKnownAs,
    services: wanted.services,
  }))
}

/** Deactivated by its owner: `listRepos` goes on naming it, `getRepo` refuses it. */
export async function deactivate(person) {
  await person.agent.com.atproto.server.deactivateAccount({})
  person.state = 'deactivated'
}

/** Taken down by the host's administrator. */
export async function takeDown(network, person) {
  const admin = new AtpAgent({ service: network.pds[person.host].url })
  await admin.com.atproto.admin.updateSubjectStatus(
    {
      subject: { $type: 'com.atproto.admin.defs#repoRef', did: person.did },
      takedown: { applied: true, ref: 'test' },
    },
    {
      headers: { authorization: `Basic ${Buffer.from(`admin:${network.adminPassword}`).toString('base64')}` },
      encoding: 'application/json',
    },
  )
  person.state = 'takendown'
}
