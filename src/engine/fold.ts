import { factsOf } from '../contract/contract.ts'
import type { Entity } from '../rules/entity.ts'
import type { Rule } from '../rules/rule.ts'
import { rulesOfEntity } from './definition.ts'

/** The state of an entity as a row keeps it. */
export interface EntityRow {
  readonly state: unknown
  /** By which rules it was folded; absent in rows that are older than this mark. */
  readonly rules?: string
}

/** How the states of one entity follow from their events. */
export interface Fold {
  readonly entity: Entity
  readonly table: string
  /** Names the rules: a row that has another name is folded again before it is looked at. */
  readonly rules: string
  /** Every event of the contract by its wire names; without a rule it leaves the state as it is. */
  readonly byWire: ReadonlyMap<string, Rule | undefined>
}

export function foldOf(entity: Entity, table: string): Fold {
  const byWire = new Map<string, Rule | undefined>()
  for (const [wire, type] of factsOf(entity.of).byWire)
    if (type.kind === 'event') {
      byWire.set(
        wire,
        entity.evolve.find(({ on }) => on === type),
      )
    }
  return { entity, table, rules: rulesOfEntity(entity), byWire }
}
