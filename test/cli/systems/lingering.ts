// Exports nothing of use, and keeps the process with a timer.
setInterval(() => undefined, 60_000)

export const other = 1
