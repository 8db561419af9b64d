import { describe, test } from 'node:test'
import { after, finish, refuse, seconds, send } from 'throughline'
import { given } from 'throughline/testing'
import { ServiceA, ServiceB, ServiceC } from './contracts.ts'
import { handOver } from './service-a.ts'
import { instruction, processing } from './service-b.ts'
import { posting } from './service-c.ts'

const event = { eventId: 'a3' }
const answered = (status: 'ACCEPTED' | 'REJECTED') =>
  ServiceB.TakeAnswer({ ...event, answerId: 'a4', status })
const declined = (reason: string) => ServiceB.Declined({ ...event, reason })

describe('an instruction of SERVICE_B', () => {
  test('waits for one answer', () => {
    given(instruction).when(ServiceB.Process(event)).then(ServiceB.Asked(event))
    const asked = given(instruction, ServiceB.Asked(event))
    asked.when(ServiceB.Process(event)).then(refuse('already-asked'))
    asked.when(answered('ACCEPTED')).then(ServiceB.Confirmed(event))
    asked.when(answered('REJECTED')).then(declined('refused-by-downstream'))
    asked.when(ServiceB.GiveUp(event)).then(declined('no-answer'))
  })

  test('takes no answer after the first, nor one that is too late', () => {
    for (const end of [ServiceB.Confirmed(event), declined('no-answer')]) {
      const ended = given(instruction, ServiceB.Asked(event), end)
      ended.when(answered('ACCEPTED')).then(refuse('not-waiting'))
      ended.when(ServiceB.GiveUp(event)).then(refuse('not-waiting'))
    }
  })

  test('ends in a posting, or after its time', () => {
    const saga = processing(seconds(5))
    given(saga)
      .when(ServiceB.Asked(event))
      .then(after(5_000, ServiceB.GiveUp(event)))
    const asked = given(saga, ServiceB.Asked(event))
    asked.when(ServiceB.Confirmed(event)).then(send(ServiceC.Post(event)), finish())
    asked.when(declined('no-answer')).then(finish())
  })
})

test('SERVICE_A rejects what SERVICE_B has declined', () => {
  given(handOver, ServiceA.Accepted(event))
    .when(declined('no-answer'))
    .then(send(ServiceA.Reject({ ...event, reason: 'no-answer' })))
})

test('SERVICE_C posts once', () => {
  given(posting).when(ServiceC.Post(event)).then(ServiceC.Posted(event))
  given(posting, ServiceC.Posted(event)).when(ServiceC.Post(event)).then(refuse('already-posted'))
})
