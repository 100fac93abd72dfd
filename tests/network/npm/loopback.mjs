/** Servers of npm on loopback: they call `listen(port)`, which opens every interface of the machine. */
import { createServer, Server } from 'node:net'

const LOOPBACK = '127.0.0.1'
const isCallback = (value) => typeof value === 'function'

/** Names the interface for all servers of this process. */
export function keepOnLoopback() {
  const { listen } = Server.prototype
  Server.prototype.listen = function (address, ...rest) {
    if (typeof address === 'number') return listen.call(this, address, LOOPBACK, ...rest.filter(isCallback))
    if (address && typeof address === 'object') return listen.call(this, { ...address, host: LOOPBACK }, ...rest)
    return listen.call(this, address, ...rest)
  }
}

/** A port that was free a moment ago: a server must know its public URL before it listens. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.on('error', reject)
    probe.listen(0, LOOPBACK, () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}
