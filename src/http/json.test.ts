import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { flawAt, readJson } from './json.ts'

function requestOf(
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = { 'content-type': 'application/json' },
): Request {
  // Text would bring a content type along.
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  return new Request('http://x/', { method: 'POST', headers, body: bytes })
}

async function refusalOf(request: Request, bytesMax?: number): Promise<string> {
  const body = await readJson(request, bytesMax)
  assert.equal(body.status, 'refused')
  return body.status === 'refused' ? `${body.answer.status} ${await body.answer.text()}` : ''
}

describe('a JSON body', () => {
  test('is read under every name of JSON, in UTF-8, with a byte order mark or none', async () => {
    const types = ['application/json', 'Application/JSON; charset=UTF-8', 'application/a.b+json']
    for (const type of types) {
      const body = await readJson(requestOf('\ufeff{"ä":[1]}', { 'content-type': type }))
      assert.deepEqual(body, { status: 'read', value: { ä: [1] } })
    }
  })

  test('of another type is 415', async () => {
    for (const type of ['text/plain', 'application/xml', 'application/json; charset=latin1', ''])
      assert.match(await refusalOf(requestOf('{}', { 'content-type': type })), /^415 .*MEDIA_TYPE/)
    assert.match(await refusalOf(requestOf('{}', { 'content-length': '2' })), /^415 /)
  })

  test('that is compressed is 415', async () => {
    const of = (encoding: string) =>
      requestOf('{}', { 'content-type': 'application/json', 'content-encoding': encoding })
    assert.match(await refusalOf(of('gzip')), /^415 .*not compressed/)
    assert.deepEqual(await readJson(of('Identity')), { status: 'read', value: {} })
  })

  test('that nobody sent is absent', async () => {
    assert.deepEqual(await readJson(requestOf('', {})), { status: 'absent' })
    assert.deepEqual(await readJson(requestOf('', { 'content-length': '0' })), { status: 'absent' })
  })

  test('that is empty is absent, whatever its type and however it is sent', async () => {
    for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded', ''])
      for (const how of [{}, { 'content-length': '0' }, { 'transfer-encoding': 'chunked' }]) {
        const headers = { 'content-type': type, ...how }
        assert.deepEqual(await readJson(requestOf('', headers)), { status: 'absent' }, type)
      }
  })

  test('is never passed over for want of a content type', async () => {
    assert.match(await refusalOf(requestOf('{}', {})), /^415 /)
    assert.match(await refusalOf(requestOf('{}', { 'transfer-encoding': 'chunked' })), /^415 /)
  })

  test('that is empty is refused where a page of another site sends it unasked', async () => {
    const of = (headers: Record<string, string>) => readJson(requestOf('', headers))
    const host = 'localhost:4500'
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', 'content-type': 'text/plain' },
      { host, origin: 'http://evil.example' },
      { host, origin: 'http://localhost:8080' },
      { host, origin: 'null' },
    ])
      assert.match(await refusalOf(requestOf('', headers)), /^403 .*ORIGIN_REFUSED/)
    for (const headers of [
      { 'sec-fetch-site': 'same-origin', origin: 'https://shop.example', host },
      { 'sec-fetch-site': 'none' },
      { host, origin: 'http://localhost:4500' },
      { host },
      // No page can send this type without being allowed to first.
      { 'sec-fetch-site': 'cross-site', 'content-type': 'application/json' },
    ])
      assert.deepEqual(await of(headers), { status: 'absent' })
  })

  test('may have as many bytes as allowed, by what it says and by what it has', async () => {
    assert.deepEqual(await readJson(requestOf('"12345678"'), 10), {
      status: 'read',
      value: '12345678',
    })
    assert.match(await refusalOf(requestOf('"123456789"'), 10), /^413 .*10 bytes/)
    const boasting = { 'content-type': 'application/json', 'content-length': '1048577' }
    assert.match(await refusalOf(requestOf('{}', boasting)), /^413 /)
  })

  test('that is malformed is 400 with the place and nothing of itself', async () => {
    const refusal = await refusalOf(requestOf('{"password": hunter2}'))
    assert.match(refusal, /^400 .*character 14"/)
    assert.doesNotMatch(refusal, /hunter2|password/)
    assert.match(await refusalOf(requestOf(' \n ')), /^400 .*empty/)
    const notUtf8 = Uint8Array.from([0x22, 0xff, 0x22])
    assert.match(await refusalOf(requestOf(notUtf8)), /^400 .*UTF-8/)
  })
})

describe('the place where text stops being JSON', () => {
  test('is found in what people get wrong', () => {
    const places: readonly (readonly [string, number])[] = [
      ['{', 2],
      ['[1,]', 4],
      ['{"a":1,}', 8],
      ['{a:1}', 2],
      ['{"a" 1}', 6],
      ['[1 2]', 4],
      ['"a', 3],
      ['"\\x"', 2],
      ['01', 2],
      ['{} {}', 4],
      ["'a'", 1],
      ['[1}', 3],
      ['nul', 1],
    ]
    for (const [text, place] of places) assert.equal(flawAt(text), place, text)
  })

  test('is where a character was put that no JSON has', () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof(fc.string(), fc.nat(9), tie('list'), tie('object')),
      list: fc.array(tie('any'), { maxLength: 4 }),
      object: fc.dictionary(fc.string(), tie('any'), { maxKeys: 4 }),
    })).any
    fc.assert(
      fc.property(value, fc.nat(), (value, where) => {
        const text = JSON.stringify(value)
        const at = where % (text.length + 1)
        const place = flawAt(`${text.slice(0, at)}\u0001${text.slice(at)}`)
        // An escape that it cuts in two begins a little before it.
        assert.ok(place <= at + 1 && place > at - 6, `${place} is not ${at + 1}`)
      }),
    )
  })

  test('lies behind everything that the machine reads', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        assert.equal(flawAt(text), text.length + 1)
      }),
    )
  })
})
