// Loaded before each file of tests. The test runner of Node.js follows every promise, to name the test
// that an uncaught error belongs to: in tests in simulated time, which are little but promises, that is
// more than half of all the work. Without it such an error still fails its file; timers, sockets and
// files are followed as before.
import asyncHooks from 'node:async_hooks'

const { createHook } = asyncHooks
asyncHooks.createHook = (callbacks) => createHook({ ...callbacks, trackPromises: false })
