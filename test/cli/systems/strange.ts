// Services as another copy of the package would create them.
export const services = [
  { kind: 'service', name: 'strange', owns: [{ Ask: {} }], runs: [] },
  'no service at all',
]
