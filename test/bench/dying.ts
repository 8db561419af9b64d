// Ends when it is told to measure.
process.once('message', () => process.exit(7))
