import type { Edge, Node } from '@xyflow/react'
import { ReactFlow, ReactFlowProvider, useReactFlow, useStore } from '@xyflow/react'
import '@xyflow/react/dist/base.css'
import { Maximize, Minus, Plus } from 'lucide-react'
import type { ReactNode } from 'react'
import { useEffect, useMemo, useState } from 'react'
import { useLive } from '../live/live-provider.tsx'
import type { Route } from '../route/route.ts'
import { useRoute } from '../route/use-route.ts'
import { beadsOf } from './beads.ts'
import { BeadsEdge, isFar, stateOf, TrackEdge } from './flow-edge.tsx'
import { EntryNode, ServiceNode, TopicNode } from './flow-nodes.tsx'
import type { MapGraph } from './graph.ts'
import { ENTRY, serviceId, topicId } from './graph.ts'
import { BeadLinesContext, HighlightContext } from './map-contexts.ts'
import type { MapLayout } from './layout.ts'
import { layoutOf } from './layout.ts'
import { labelsOf } from './line.ts'

const nodeTypes = { service: ServiceNode, topic: TopicNode, entry: EntryNode }
const edgeTypes = { track: TrackEdge, beads: BeadsEdge }
/** The width of the map that a panel covers, with a margin. */
const PANEL_WIDTH = 510
const FIT = { padding: '26px', maxZoom: 1.35, minZoom: 0.4 } as const

export function FlowMap({ graph }: { graph: MapGraph }): ReactNode {
  const layout = useMemo(() => layoutOf(graph), [graph])
  const nodes = useMemo(() => nodesOf(graph, layout), [graph, layout])
  const edges = useMemo(() => edgesOf(graph, layout), [graph, layout])
  const [pointed, setPointed] = useState<string>()
  const beads = useBeads(graph, layout, pointed)
  return (
    <ReactFlowProvider>
      <BeadLinesContext value={beads}>
        <HighlightContext value={pointed}>
          <ReactFlow
            nodes={nodes}
            edges={edges}
            nodeTypes={nodeTypes}
            edgeTypes={edgeTypes}
            fitView
            fitViewOptions={FIT}
            minZoom={0.4}
            maxZoom={1.8}
            nodesDraggable={false}
            nodesConnectable={false}
            nodesFocusable={false}
            edgesFocusable={false}
            elementsSelectable={false}
            zoomOnScroll={false}
            zoomOnDoubleClick={false}
            preventScrolling={false}
            proOptions={{ hideAttribution: true }}
            onNodeMouseEnter={(_, { id }) => setPointed(id)}
            onNodeMouseLeave={() => setPointed(undefined)}
          >
            <Fitted graph={graph} layout={layout} />
          </ReactFlow>
          <Legend />
          <ZoomButtons />
        </HighlightContext>
      </BeadLinesContext>
    </ReactFlowProvider>
  )
}

/**
 * Computed again only when a line starts or stops flowing. Highlighted lines do not share beads with
 * the others.
 */
function useBeads(
  { edges }: MapGraph,
  { lines }: MapLayout,
  pointed: string | undefined,
): ReturnType<typeof beadsOf> {
  const live = useLive()
  const isLost = live.link === 'lost'
  const flowing = edges.filter((edge) => !isLost && stateOf(edge, live) === 'flowing')
  const shape = flowing.map(({ id }) => id).join('\n')
  return useMemo(() => {
    const far = beadsOf(
      flowing.filter((edge) => isFar(edge, pointed)),
      lines,
    )
    const near = beadsOf(
      flowing.filter((edge) => !isFar(edge, pointed)),
      lines,
    )
    return new Map([...far, ...near])
  }, [shape, lines, pointed])
}

/** Fits the map into its container, and keeps the selected node visible beside the panel. */
function Fitted({ graph, layout }: { graph: MapGraph; layout: MapLayout }): null {
  const { fitView, getViewport, setViewport } = useReactFlow()
  const width = useStore((state) => state.width)
  const height = useStore((state) => state.height)
  const route = useRoute()
  const open = nodeOf(route)
  useEffect(() => {
    const frame = requestAnimationFrame(async () => {
      await fitView(FIT)
      const box = open === undefined ? undefined : layout.boxes.get(open)
      const { x, y, zoom } = getViewport()
      const hidden = box ? x + (box.x + box.width) * zoom - (width - PANEL_WIDTH) : 0
      if (hidden > 0) await setViewport({ x: x - hidden, y, zoom })
    })
    return () => cancelAnimationFrame(frame)
  }, [fitView, getViewport, setViewport, width, height, graph, layout, open])
  return null
}

function nodeOf(route: Route): string | undefined {
  if (route.kind === 'service') return serviceId(route.name)
  return route.kind === 'topic' ? topicId(route.name) : undefined
}

function ZoomButtons(): ReactNode {
  const { zoomIn, zoomOut, fitView } = useReactFlow()
  return (
    <div className="map-zoom" role="group" aria-label="Zoom">
      <button type="button" aria-label="Zoom in" onClick={() => void zoomIn()}>
        <Plus size={14} aria-hidden />
      </button>
      <button type="button" aria-label="Zoom out" onClick={() => void zoomOut()}>
        <Minus size={14} aria-hidden />
      </button>
      <button type="button" aria-label="Show all" onClick={() => void fitView(FIT)}>
        <Maximize size={13} aria-hidden />
      </button>
    </div>
  )
}

function Legend(): ReactNode {
  return (
    <ul className="map-legend" aria-label="Colours of the lines">
      {(['commands', 'events', 'replies'] as const).map((carries) => (
        <li key={carries} data-carries={carries}>
          {carries}
        </li>
      ))}
    </ul>
  )
}

function nodesOf({ services, topics, hasEntry }: MapGraph, { boxes }: MapLayout): Node[] {
  const place = (id: string, type: string, data: Record<string, unknown>): Node => {
    const { x, y, width, height } = boxes.get(id) ?? { x: 0, y: 0, width: 1, height: 1 }
    return { id, type, data, position: { x, y }, width, height }
  }
  // Sorted in reading order, which is the tab order.
  return [
    ...(hasEntry ? [place(ENTRY, 'entry', {})] : []),
    ...services.map((service) => place(service.id, 'service', { service })),
    ...topics.map((topic) => place(topic.id, 'topic', { topic })),
  ].toSorted((a, b) => a.position.x - b.position.x || a.position.y - b.position.y)
}

function edgesOf({ edges }: MapGraph, { lines }: MapLayout): Edge[] {
  const labels = labelsOf(
    edges.filter(({ kind }) => kind === 'reads'),
    lines,
  )
  return ['track', 'beads'].flatMap((type) =>
    edges.map((edge) => ({
      id: `${type} ${edge.id}`,
      type,
      source: edge.from,
      target: edge.to,
      data: { edge, points: lines.get(edge.id) ?? [], label: labels.get(edge.id) },
    })),
  )
}
