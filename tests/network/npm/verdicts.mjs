// The verdicts of the official validator on records. Standard input: a line for each, `{collection} {base64 of its DAG-CBOR}`.
// Standard output: a line for each: `valid`, or `invalid` and the reason. The schemas are those that the PDS is built with, of
// the same validator as the official indexer's, which asks nothing else (`schema.check(record)`).

import { readFileSync } from 'node:fs'
import { decode } from '@atproto/lex-cbor'

const schemas = new Map()

async function schemaOf(collection) {
  if (!schemas.has(collection)) {
    const path = `./node_modules/@atproto/pds/dist/lexicons/${collection.replaceAll('.', '/')}.defs.js`
    schemas.set(collection, (await import(path)).main)
  }
  return schemas.get(collection)
}

async function verdict(line) {
  const [collection, block] = line.split(' ')
  const schema = await schemaOf(collection)
  try {
    schema.check(decode(Buffer.from(block, 'base64')))
    return 'valid'
  } catch (error) {
    return `invalid ${error.message.replaceAll(/\s+/g, ' ')}`
  }
}

for (const line of readFileSync(0, 'utf8').trim().split('\n')) {
  console.log(await verdict(line))
}
