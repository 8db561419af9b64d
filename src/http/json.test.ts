import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { syntaxErrorAt, readJson } from './json.ts'

function requestOf(
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = { 'content-type': 'application/json' },
): Request {
  // A string body would set a content type.
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  return new Request('http://x/', { method: 'POST', headers, body: bytes })
}

async function refusalOf(request: Request, bytesMax?: number): Promise<string> {
  const body = await readJson(request, bytesMax)
  assert.equal(body.status, 'refused')
  return body.status === 'refused' ? `${body.answer.status} ${await body.answer.text()}` : ''
}

describe('a JSON body', () => {
  test('is read with any JSON content type, in UTF-8, with or without a byte order mark', async () => {
    const types = ['application/json', 'Application/JSON; charset=UTF-8', 'application/a.b+json']
    for (const type of types) {
      const body = await readJson(requestOf('\ufeff{"ä":[1]}', { 'content-type': type }))
      assert.deepEqual(body, { status: 'read', value: { ä: [1] } })
    }
  })

  test('of another content type is 415', async () => {
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

  test('that was not sent is absent', async () => {
    assert.deepEqual(await readJson(requestOf('', {})), { status: 'absent' })
    assert.deepEqual(await readJson(requestOf('', { 'content-length': '0' })), { status: 'absent' })
  })

  test('that is empty is absent, whatever its content type and transfer encoding', async () => {
    for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded', ''])
      for (const how of [{}, { 'content-length': '0' }, { 'transfer-encoding': 'chunked' }]) {
        const headers = { 'content-type': type, ...how }
        assert.deepEqual(await readJson(requestOf('', headers)), { status: 'absent' }, type)
      }
  })

  test('without a content type is refused, not ignored', async () => {
    assert.match(await refusalOf(requestOf('{}', {})), /^415 /)
    assert.match(await refusalOf(requestOf('{}', { 'transfer-encoding': 'chunked' })), /^415 /)
  })

  test('that is empty is refused if a page of another site can send it without a preflight', async () => {
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
      // A page can send this type only after a CORS preflight.
      { 'sec-fetch-site': 'cross-site', 'content-type': 'application/json' },
    ])
      assert.deepEqual(await of(headers), { status: 'absent' })
  })

  test('is limited by its content length and by its actual size', async () => {
    assert.deepEqual(await readJson(requestOf('"12345678"'), 10), {
      status: 'read',
      value: '12345678',
    })
    assert.match(await refusalOf(requestOf('"123456789"'), 10), /^413 .*10 bytes/)
    const overstated = { 'content-type': 'application/json', 'content-length': '1048577' }
    assert.match(await refusalOf(requestOf('{}', overstated)), /^413 /)
  })

  test('that is malformed is 400 with the position of the error, and is not quoted', async () => {
    const refusal = await refusalOf(requestOf('{"password": hunter2}'))
    assert.match(refusal, /^400 .*character 14"/)
    assert.doesNotMatch(refusal, /hunter2|password/)
    assert.match(await refusalOf(requestOf(' \n ')), /^400 .*empty/)
    const notUtf8 = Uint8Array.from([0x22, 0xff, 0x22])
    assert.match(await refusalOf(requestOf(notUtf8)), /^400 .*UTF-8/)
  })
})

describe('the position of a JSON syntax error', () => {
  test('is found for common mistakes', () => {
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
    for (const [text, place] of places) assert.equal(syntaxErrorAt(text), place, text)
  })

  test('is where an invalid character was inserted', () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof(fc.string(), fc.nat(9), tie('list'), tie('object')),
      list: fc.array(tie('any'), { maxLength: 4 }),
      object: fc.dictionary(fc.string(), tie('any'), { maxKeys: 4 }),
    })).any
    fc.assert(
      fc.property(value, fc.nat(), (value, where) => {
        const text = JSON.stringify(value)
        const at = where % (text.length + 1)
        const place = syntaxErrorAt(`${text.slice(0, at)}\u0001${text.slice(at)}`)
        // If it splits an escape, the error is at the start of the escape.
        assert.ok(place <= at + 1 && place > at - 6, `${place} is not ${at + 1}`)
      }),
    )
  })

  test('is after the end of any valid JSON text', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        assert.equal(syntaxErrorAt(text), text.length + 1)
      }),
    )
  })
})
