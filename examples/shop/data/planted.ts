// Rows that the real file lacks but that a shop has to handle. Each entry is one or more rows of the
// excerpt, inserted between two invoices. All contain PLANTED in their number or description.

export interface Planted {
  /** What the rows are an example of. */
  readonly kind: string
  /** The rows as in the file, without the last line end. */
  readonly text: string
}

const at = '2011-03-01T10:00:00Z'
const sound = (id: string): string => `${id},22423,PLANTED SOUND ROW,1,${at},12.75,PLANTED,France`

export const planted: readonly Planted[] = [
  {
    kind: 'too few fields, in the second row of its order',
    text: `${sound('PLANTED-01')}\nPLANTED-01,21730,GLASS STAR`,
  },
  {
    kind: 'too many fields',
    text: `PLANTED-02,22423,REGENCY CAKESTAND, 3 TIER,1,${at},12.75,PLANTED,France`,
  },
  {
    kind: 'a quote that is never closed',
    text: `PLANTED-03,22423,"REGENCY CAKESTAND 3 TIER,1,${at},12.75,PLANTED,France`,
  },
  {
    kind: 'a quote that is never closed, with a broken row behind it',
    text: `PLANTED-04,22423,"REGENCY CAKESTAND\n3 TIER,1,${at}`,
  },
  {
    kind: 'a quote in a text without quotes',
    text: `PLANTED-05,84971S,RECORD FRAME 7" SINGLE SIZE,1,${at},2.55,PLANTED,France`,
  },
  {
    kind: 'text behind a closing quote',
    text: `PLANTED-06,22423,"REGENCY" CAKESTAND,1,${at},12.75,PLANTED,France`,
  },
  {
    kind: 'a date of another form',
    text: 'PLANTED-07,22423,REGENCY CAKESTAND,1,12/1/2010 8:26,12.75,PLANTED,France',
  },
  {
    kind: 'a date that no calendar has',
    text: 'PLANTED-08,22423,REGENCY CAKESTAND,1,2011-02-29T10:00:00Z,12.75,PLANTED,France',
  },
  { kind: 'no product code', text: `PLANTED-09,,REGENCY CAKESTAND,1,${at},12.75,PLANTED,France` },
  {
    kind: 'no description, at a sound price: an order like any other',
    text: `PLANTED-24,22423,,1,${at},12.75,PLANTED,France`,
  },
  { kind: 'no country', text: `PLANTED-10,22423,REGENCY CAKESTAND,1,${at},12.75,PLANTED,` },
  {
    kind: 'a customer id that is too long',
    text: `PLANTED-11,22423,REGENCY CAKESTAND,1,${at},12.75,${'PLANTED'.repeat(10)},France`,
  },
  { kind: 'no invoice number', text: `,22423,PLANTED WITHOUT NUMBER,1,${at},12.75,PLANTED,France` },
  {
    kind: 'an invoice number that is too long',
    text: `${'PLANTED'.repeat(10)},22423,REGENCY CAKESTAND,1,${at},12.75,PLANTED,France`,
  },
  {
    kind: 'an invoice number with a control character',
    text: `PLANTED-\u0007,22423,REGENCY CAKESTAND,1,${at},12.75,PLANTED,France`,
  },
  { kind: 'no row at all', text: '#### PLANTED ####' },
  {
    kind: 'a blank line, between planted rows',
    text: `${sound('PLANTED-12')}\n\n${sound('PLANTED-12')}`,
  },
  { kind: 'a row that ends in CRLF', text: `${sound('PLANTED-13')}\r` },
  {
    kind: 'a description of two lines',
    text: `PLANTED-14,22423,"REGENCY CAKESTAND\n3 TIER",1,${at},12.75,PLANTED,France`,
  },
  {
    kind: 'a quantity of 0',
    text: `PLANTED-15,22423,REGENCY CAKESTAND,0,${at},12.75,PLANTED,France`,
  },
  {
    kind: 'a quantity with a fraction',
    text: `PLANTED-16,22423,REGENCY CAKESTAND,1.5,${at},12.75,PLANTED,France`,
  },
  {
    kind: 'a price in words',
    text: `PLANTED-17,22423,REGENCY CAKESTAND,1,${at},free,PLANTED,France`,
  },
  {
    kind: 'a price with a part of a penny, beside a price of 0 and a quantity of 0',
    text:
      `PLANTED-18,22423,REGENCY CAKESTAND,1,${at},12.755,PLANTED,France\n` +
      `PLANTED-18,22424,ENAMEL BREAD BIN,1,${at},0,PLANTED,France\n` +
      `PLANTED-18,22425,ENAMEL COLANDER,0,${at},5,PLANTED,France`,
  },
  {
    kind: 'a return of a positive quantity',
    text: `C-PLANTED-19,22423,REGENCY CAKESTAND,1,${at},12.75,PLANTED,France`,
  },
  {
    kind: 'a return of a product code in another letter case than was bought',
    text:
      `PLANTED-20,85123A,HANGING HEART,2,${at},2.55,PLANTED-CASE,France\n` +
      `C-PLANTED-20,85123a,HANGING HEART,-1,${at},2.55,PLANTED-CASE,France`,
  },
  {
    kind: 'an order of exactly the payment limit',
    text: `PLANTED-21,22423,REGENCY CAKESTAND,500,${at},10.00,PLANTED-LIMIT,France`,
  },
  {
    kind: 'an order of a penny more',
    text:
      `PLANTED-22,22423,REGENCY CAKESTAND,500,${at},10.00,PLANTED-LIMIT,France\n` +
      `PLANTED-22,POST,POSTAGE,1,${at},0.01,PLANTED-LIMIT,France`,
  },
  {
    kind: 'an invoice number with a letter in front, and no customer',
    text: 'A563185,B,PLANTED Adjust bad debt,1,2011-08-12T14:50:00Z,11062.06,,United Kingdom',
  },
  {
    kind: 'a negative price',
    text: 'A563186,B,PLANTED Adjust bad debt,1,2011-08-12T14:51:00Z,-11062.06,,United Kingdom',
  },
  {
    kind: 'ids that are names in JavaScript',
    text: `__proto__,constructor,PLANTED NAMES,1,${at},1.00,toString,France`,
  },
  {
    kind: 'ids beyond ASCII',
    text: `Ü-商品-😀,CAFÉ,PLANTED – “naïve” £5,1,${at},1.00,Ærø,Côte d’Ivoire`,
  },
  {
    kind: 'a customer id that looks like the key of a guest',
    text: `PLANTED-23,22423,REGENCY CAKESTAND,1,${at},12.75,g:536414,France`,
  },
]
