/**
 * Writes accounts and records to the network of peer.mjs through the official client, as its users would.
 *
 *   node seed.mjs ADDRESSES        (the line of JSON that peer.mjs printed)
 *
 * When all is written, one JSON document goes to standard output: what was written, by whom (the fields of Ledger, and
 * `accounts`). The kinds of writing are in conversations.mjs and curiosities.mjs.
 */
import * as conversations from './conversations.mjs'
import * as curiosities from './curiosities.mjs'
import { Ledger } from './ledger.mjs'
import { deactivate, move, signUp, takeDown } from './people.mjs'

const HOMES = {
  alpha: ['alice', 'bob', 'carol', 'dan', 'erin', 'frank', 'grace', 'heidi', 'ivan', 'olivia', 'peggy', 'trent'],
  beta: ['judy', 'mallory', 'niaj'],
}
const BULK_POSTS = 900

const network = JSON.parse(process.argv[2])
const people = {}
for (const [hostName, names] of Object.entries(HOMES)) {
  for (const name of names) people[name] = await signUp(network, hostName, name)
}

const ledger = new Ledger()
await conversations.writeProfiles(ledger, people)
await conversations.writePosts(ledger, people)
await conversations.writeEmbeds(ledger, people)
await conversations.react(ledger, people)
await conversations.regret(ledger, people)
await conversations.editProfile(people.bob)
await curiosities.writeOtherCollections(ledger, people)
await curiosities.writeOddForms(ledger, people)
await curiosities.writeUnknownLexicon(ledger, people)
await curiosities.writeInvalid(ledger, people)
await curiosities.writeInBulk(people.peggy, BULK_POSTS)

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
