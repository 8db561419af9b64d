import type { ProjectionPlan } from './plan.ts'

/** A projection whose rules have another source than those that made its rows, at the same version. */
export interface ChangedSource {
  /** `<service>/<projection>`. */
  readonly projection: string
  readonly version: number
}

export function changedSource({ consumer, definition }: ProjectionPlan): ChangedSource {
  return { projection: consumer.name, version: definition.version }
}

export function changedSourceText({ projection, version }: ChangedSource): string {
  return (
    `the rows of ${projection} were made by rules of another source text, and its version is still ` +
    `${version}: raise it if the rules now make other rows; rebuild it to have done with this`
  )
}
