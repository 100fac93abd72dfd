/** The people that the official network has in every test, each on a host of their own choice, and all that they write. */
import * as conversations from './conversations.mjs'
import * as curiosities from './curiosities.mjs'
import { signUp } from './people.mjs'

const HOMES = {
  alpha: ['alice', 'bob', 'carol', 'dan', 'erin', 'frank', 'grace', 'heidi', 'ivan', 'olivia', 'peggy', 'trent'],
  beta: ['judy', 'mallory', 'niaj'],
}

/** Makes their accounts; gives them by name. */
export async function gather(network) {
  const people = {}
  for (const [hostName, names] of Object.entries(HOMES)) {
    for (const name of names) people[name] = await signUp(network, hostName, name)
  }
  return people
}

/** Writes every kind of record, and `bulkPosts` posts of one author at once. */
export async function write(ledger, people, bulkPosts) {
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
  await curiosities.writeInBulk(people.peggy, bulkPosts)
}
