/**
 * Writes accounts and records to the network of peer.mjs through the official client, as its users would.
 *
 *   node seed.mjs ADDRESSES        (the line of JSON that peer.mjs printed)
 *
 * When all is written, one JSON document goes to standard output: what was written, by whom (the fields of Ledger, and
 * `accounts`). What is written is in community.mjs.
 */
import * as community from './community.mjs'
import { Ledger } from './ledger.mjs'
import { deactivate, move, takeDown } from './people.mjs'

const BULK_POSTS = 900

const network = JSON.parse(process.argv[2])
const people = await community.gather(network)
const ledger = new Ledger()
await community.write(ledger, people, BULK_POSTS)

// Both move; the first commit after a move is the first that the new key signs, and trent makes none.
people.olivia = await move(network, people.olivia, 'beta')
people.trent = await move(network, people.trent, 'beta')
await ledger.post('settled', people.olivia, { text: 'Written where I live now' })
await deactivate(people.grace)
await takeDown(network, people.ivan)

const accounts = Object.fromEntries(
  Object.values(people).map(({ agent, recoveryKey, ...account }) => [account.name, account]),
)
process.stdout.write(JSON.stringify({ accounts, bulkPosts: BULK_POSTS, ...ledger }))
