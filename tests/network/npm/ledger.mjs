/** What was written to the official network, kept by those who wrote it: the truth that the tests compare with. */

const HOUR_MILLIS = 3_600_000

/** Writes through the accounts' own agents and remembers it. Every record gets its own second, so that orders are sure. */
export class Ledger {
  posts = {}
  records = {}
  likes = []
  reposts = []
  follows = []
  blocks = []
  invalid = []
  deleted = []
  #now = Date.now() - HOUR_MILLIS

  time() {
    this.#now += 1000
    return new Date(this.#now).toISOString()
  }

  /** A post; `about` says what the tests are to know of it beyond its text (parent, root, quotes, embed). */
  async post(key, person, record, about = {}) {
    const { uri, cid } = await person.agent.post({ createdAt: this.time(), ...record })
    this.posts[key] = { uri, cid, author: person.name, text: record.text, ...about }
    return { uri, cid }
  }

  reply(key, person, parentKey, record) {
    const parent = this.posts[parentKey]
    const rootKey = parent.root ?? parentKey
    const reply = { root: this.ref(rootKey), parent: this.ref(parentKey) }
    return this.post(key, person, { ...record, reply }, { parent: parentKey, root: rootKey })
  }

  ref(key) {
    const { uri, cid } = this.posts[key]
    return { uri, cid }
  }

  async like(person, key, via) {
    const { uri, cid } = this.posts[key]
    const like = await person.agent.like(uri, cid, via)
    this.likes.push({ actor: person.name, post: key })
    return like
  }

  async repost(person, key) {
    const { uri, cid } = this.posts[key]
    const repost = await person.agent.repost(uri, cid)
    this.reposts.push({ actor: person.name, post: key })
    return repost
  }

  async follow(person, subject) {
    const follow = await person.agent.follow(subject.did)
    this.follows.push({ actor: person.name, subject: subject.name })
    return follow
  }

  async block(person, subject) {
    await this.create(person, 'app.bsky.graph.block', { subject: subject.did, createdAt: this.time() })
    this.blocks.push({ actor: person.name, subject: subject.name })
  }

  /** Any record, by the general call. `options`: rkey, validate. */
  async create(person, collection, record, options = {}) {
    const { data } = await person.agent.com.atproto.repo.createRecord({
      repo: person.did,
      collection,
      record: { $type: collection, ...record },
      ...options,
    })
    return { uri: data.uri, cid: data.cid }
  }

  /** Like create, remembered under `key`. */
  async keep(key, person, collection, record, options) {
    this.records[key] = await this.create(person, collection, record, options)
    return this.records[key]
  }

  /** A record that breaks its lexicon, which a PDS takes when told not to look. */
  async createInvalid(person, collection, record) {
    const { uri } = await this.create(person, collection, record, { validate: false })
    this.invalid.push(uri)
  }

  async remove(person, uri) {
    const [, , repo, collection, rkey] = uri.split('/')
    await person.agent.com.atproto.repo.deleteRecord({ repo, collection, rkey })
    this.deleted.push(uri)
  }
}
