// Services as another copy of the package would create them.
export const services = [
  { is: 'service', name: 'strange', owns: [{ Ask: {} }], runs: [] },
  'no service at all',
]
