// A module whose exports are all invalid.
export const service = 'the name is wrong, too'
export const tools = 7
export const routes = {}
export const boards = 'none'
