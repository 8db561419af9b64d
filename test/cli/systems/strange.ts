// As if another copy of the package had made it.
export const services = [
  { is: 'service', name: 'strange', owns: [{ Ask: {} }], runs: [] },
  'no service at all',
]
