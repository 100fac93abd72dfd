/**
 * Components that other people put into their web pages read our API in a real browser: posts, profiles, comments; and the
 * service's own pages draw themselves there.
 *
 *   ZEPPELIN_API_URL=… ZEPPELIN_EXPECTED=expected.json ZEPPELIN_SCREENSHOTS=FOLDER CHROMIUM=/usr/bin/chromium \
 *     node --test browser.test.mjs
 *
 * The page may reach our API alone: what a component asks of the public service is given to ours, pictures are answered
 * by one of our own, and anything else fails the test, as does every line that the page writes to the console as an error.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { build } from 'esbuild'
import { chromium } from 'playwright-core'

import { png } from './media.mjs'

const PAGE = 'https://page.test/'
const PUBLIC_SERVICE = 'https://public.api.bsky.app'
const PICTURE_HOSTS = new Set(['cdn.bsky.app', 'video.bsky.app'])
const SHOWN_MILLIS = 30_000

const api = process.env.ZEPPELIN_API_URL
const folder = process.env.ZEPPELIN_SCREENSHOTS
const expected = JSON.parse(readFileSync(process.env.ZEPPELIN_EXPECTED, 'utf8'))
const posts = new Map(expected.posts.map((post) => [post.key, post]))
const profiles = new Map(expected.profiles.map((profile) => [profile.did, profile]))

let browser
let bundle

before(async () => {
  const built = await build({
    entryPoints: ['page.mjs'],
    bundle: true,
    write: false,
    outdir: 'bundle',
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'error',
  })
  bundle = Object.fromEntries(built.outputFiles.map(({ path, text }) => [path.split('.').at(-1), text]))
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] })
})

after(() => browser?.close())

/** A tab that notes what goes wrong in it. */
async function newTab() {
  const page = await browser.newPage({ viewport: { width: 700, height: 900 } })
  const faults = []
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
  return { page, faults }
}

/** A tab with the page, whose requests are answered here; `faults` collects what went wrong in it. */
async function open(body) {
  const { page, faults } = await newTab()
  await page.route('**/*', (route) => answer(route, faults, body))
  await page.goto(PAGE)
  return { page, faults }
}

async function answer(route, faults, body) {
  const url = new URL(route.request().url())
  if (url.href === PAGE) return route.fulfill({ contentType: 'text/html', body: html(body) })
  if (url.origin === PUBLIC_SERVICE || url.origin === new URL(api).origin) {
    const response = await fetch(`${api}${url.pathname}${url.search}`, { headers: route.request().headers() })
    const headers = Object.fromEntries(response.headers)
    return route.fulfill({ status: response.status, headers, body: await response.text() })
  }
  if (PICTURE_HOSTS.has(url.host)) return givePicture(route)
  faults.push(`the page asked for ${url}`)
  return route.abort()
}

const givePicture = (route) => route.fulfill({ contentType: 'image/png', body: png(40, 30, [90, 150, 220]) })

function html(body) {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page</title><link rel="icon" href="data:,">
    <style>${bundle.css}</style></head><body>${body}<script>${bundle.js.replaceAll('</script', '<\\/script')}</script></body></html>`
}

async function assertShown(page, faults, selector, texts) {
  for (const text of texts) {
    await page.locator(selector).getByText(text, { exact: false }).first().waitFor({ timeout: SHOWN_MILLIS }).catch((error) => {
      throw new Error(`${selector} does not show ${JSON.stringify(text)}: ${faults.join('; ')}`, { cause: error })
    })
  }
}

async function finish({ page, faults }, name) {
  await page.waitForLoadState('networkidle')
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true })
  assert.deepEqual(faults, [])
  await page.close()
}

describe('web components', () => {
  const shown = ['hello', 'answer', 'pictures', 'article', 'quote', 'quote-with-picture', 'clip', 'mention', 'quote-of-gone']

  test('bluesky-post-embed shows posts with every kind of embed', async () => {
    const elements = shown.map((key) => `<bluesky-post id="${key}" src="${posts.get(key).uri}" service-uri="${api}" allow-unauthenticated></bluesky-post>`)
    const tab = await open(elements.join('<br>'))
    for (const key of shown) {
      const { text, author } = posts.get(key)
      await assertShown(tab.page, tab.faults, `#${key}`, [text.slice(0, 8), profiles.get(author).displayName])
    }
    await assertShown(tab.page, tab.faults, '#article', ['An article', 'example.com'])
    await assertShown(tab.page, tab.faults, '#quote', ['Hello, network'])
    await finish(tab, 'posts')
  })

  test('bluesky-profile-card-embed shows profiles', async () => {
    const people = expected.profiles.slice(0, 4)
    const elements = people.map(({ did }, number) => `<bluesky-profile-card id="p${number}" actor="${did}" service-uri="${api}" allow-unauthenticated></bluesky-profile-card>`)
    const tab = await open(elements.join('<br>'))
    for (const [number, { displayName, handle }] of people.entries()) {
      await assertShown(tab.page, tab.faults, `#p${number}`, [displayName, handle])
    }
    await finish(tab, 'profiles')
  })

  test('bluesky-comments shows a thread', async () => {
    const tab = await open('<div id="comments"></div>')
    await tab.page.evaluate((uri) => window.showComments(uri), posts.get('hello').uri)
    await assertShown(tab.page, tab.faults, '#comments', ['Hello, Alice', 'Hello, both', 'Hello from another host'])
    await finish(tab, 'comments')
  })
})

describe("the service's own pages", () => {
  async function visit(path) {
    const tab = await newTab()
    await tab.page.route((url) => PICTURE_HOSTS.has(url.host), givePicture)
    await tab.page.goto(`${api}${path}`)
    return tab
  }

  test('the status page says what is in the warehouse', async () => {
    const tab = await visit('/')
    await assertShown(tab.page, tab.faults, '#cards', ['Repositories complete', 'synchronized', 'Records by table', 'Counts', 'Set aside'])
    await finish(tab, 'status')
  })

  test('the reader shows a profile, and the thread that its post leads to', async () => {
    const { author, uri, text } = posts.get('hello')
    const { handle, displayName } = profiles.get(author)
    const profile = await visit(`/profile/${handle}`)
    await assertShown(profile.page, profile.faults, '#content', [displayName, text])
    await finish(profile, 'reader-profile')
    const thread = await visit(`/profile/${author}/post/${uri.split('/').at(-1)}`)
    await assertShown(thread.page, thread.faults, '#content', [text, 'Hello, Alice', 'Hello, both', 'Hello from another host'])
    await finish(thread, 'reader-thread')
  })
})
