import { definitionOf } from '../../contract/contract.ts'
import type { Entity } from '../../rules/entity.ts'
import type { Rule } from '../../rules/rule.ts'
import { rulesOfEntity } from './rule-fingerprint.ts'

/** The row of an entity's state. */
export interface EntityRow {
  readonly state: unknown
  /** The fingerprint of the rules that folded it. Absent in rows of earlier versions. */
  readonly rules?: string
}

/** How an entity's state is folded from its events. */
export interface EntityFold {
  readonly entity: Entity
  readonly table: string
  /**
   * Fingerprint of the evolve rules: a state with another fingerprint is folded again before it is
   * used.
   */
  readonly rules: string
  /** The events of the contract by wire name; one without a rule leaves the state unchanged. */
  readonly byWire: ReadonlyMap<string, Rule | undefined>
}

export function createEntityFold(entity: Entity, table: string): EntityFold {
  const byWire = new Map<string, Rule | undefined>()
  for (const [wire, type] of definitionOf(entity.of).byWire)
    if (type.kind === 'event') {
      byWire.set(
        wire,
        entity.evolve.find(({ on }) => on === type),
      )
    }
  return { entity, table, rules: rulesOfEntity(entity), byWire }
}
