/** A web page that shows posts, profiles and comments by other people's components; browser.test.mjs bundles and opens it. */
import 'bluesky-post-embed'
import 'bluesky-post-embed/style.css'
import 'bluesky-post-embed/themes/light.css'
import 'bluesky-profile-card-embed'
import 'bluesky-profile-card-embed/style.css'
import 'bluesky-profile-card-embed/themes/light.css'
import { BlueskyComments } from 'bluesky-comments'
import 'bluesky-comments/bluesky-comments.css'
import { createElement } from 'react'
import { createRoot } from 'react-dom/client'

window.showComments = (uri) => {
  createRoot(document.querySelector('#comments')).render(createElement(BlueskyComments, { uri }))
}
