/**
 * People who act on the network of peer.mjs while others watch: one line of JSON in, one out, until standard input closes.
 *
 *   node live.mjs ADDRESSES        (the line of JSON that peer.mjs printed)
 *
 * In: {"do": name of an act, "name": whose, …its own fields}. Out: {"given": what the act gives} or {"failed": why}.
 */
import { createInterface } from 'node:readline'

import { Ledger } from './ledger.mjs'
import { deactivate, move, signUp, takeDown } from './people.mjs'

const network = JSON.parse(process.argv[2])
const ledger = new Ledger()
const people = {}

const acts = {
  async signUp({ name, host }) {
    people[name] = await signUp(network, host, name)
    const { did, handle } = people[name]
    return { did, handle }
  },
  create: ({ name, collection, record }) => ledger.create(people[name], collection, record),
  async put({ name, collection, rkey, record }) {
    const { agent, did } = people[name]
    const { data } = await agent.com.atproto.repo.putRecord({
      repo: did,
      collection,
      rkey,
      record: { $type: collection, ...record },
    })
    return { uri: data.uri, cid: data.cid }
  },
  remove: ({ name, uri }) => ledger.remove(people[name], uri),
  async rename({ name, handle }) {
    await people[name].agent.com.atproto.identity.updateHandle({ handle })
  },
  deactivate: ({ name }) => deactivate(people[name]),
  async activate({ name }) {
    await people[name].agent.com.atproto.server.activateAccount()
  },
  takeDown: ({ name }) => takeDown(network, people[name]),
  async move({ name, host }) {
    people[name] = await move(network, people[name], host)
    return { handle: people[name].handle }
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const act = JSON.parse(line)
  let answer
  try {
    answer = { given: (await acts[act.do](act)) ?? null }
  } catch (error) {
    answer = { failed: `${act.do}: ${error}` }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
