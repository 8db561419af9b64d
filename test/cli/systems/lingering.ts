// Exports nothing useful, and keeps the process alive with a timer.
setInterval(() => undefined, 60_000)

export const other = 1
