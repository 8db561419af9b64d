/** Errors that stop the import of a whole file. An invalid line only rejects its invoice. */
export const SHOP_FAULTS = {
  SHOP_HEADER_WRONG: {
    meaning: 'the file does not begin with the columns of an invoice file',
    cure: 'correct the first line of the file, or name another file; nothing was imported',
  },
  SHOP_FILE_UNREADABLE: {
    meaning: 'the file cannot be read',
    cure: 'name a file that exists and that may be read; nothing was imported',
  },
  SHOP_FILE_DAMAGED: {
    meaning: 'the packed file is cut short or damaged',
    cure: 'fetch or pack the file again; nothing was imported',
  },
  SHOP_FILE_TOO_LARGE: {
    meaning: 'the file holds more text than one import accepts',
    cure: 'split the file between two invoices, each part with the header; nothing was imported',
  },
} as const satisfies Record<string, { meaning: string; cure: string }>

export type ShopFaultCode = keyof typeof SHOP_FAULTS

/** Thrown before any invoice of a file is returned. */
export class ShopFault extends Error {
  override readonly name = 'ShopFault'
  readonly code: ShopFaultCode

  constructor(code: ShopFaultCode, detail: string, cause?: unknown) {
    const { meaning, cure } = SHOP_FAULTS[code]
    super(`${code}: ${meaning}: ${detail}\n${cure}.`, cause === undefined ? {} : { cause })
    this.code = code
  }
}
