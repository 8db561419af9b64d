// Exits when it gets a request to measure.
process.once('message', () => process.exit(7))
