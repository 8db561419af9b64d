import type { ProjectionPlan } from './plan.ts'

/** A projection whose rows were made by rules with a different source text, at the same version. */
export interface ChangedSource {
  /** `<service>/<projection>`. */
  readonly projection: string
  readonly version: number
}

export function createChangedSource({ consumer, definition }: ProjectionPlan): ChangedSource {
  return { projection: consumer.name, version: definition.version }
}

export function changedSourceText({ projection, version }: ChangedSource): string {
  return (
    `the rows of ${projection} were made by rules with a different source text, and its version is ` +
    `still ${version}: raise it if the rules now make other rows; a rebuild ends this warning`
  )
}
