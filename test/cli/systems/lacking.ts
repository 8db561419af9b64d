// Nothing in it is as it must be.
export const service = 'the name is wrong, too'
export const tools = 7
export const routes = {}
export const boards = 'none'
