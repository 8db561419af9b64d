import type { NodeProps } from '@xyflow/react'
import { Handle, Position } from '@xyflow/react'
import { LogIn } from 'lucide-react'
import type { ReactNode } from 'react'
import { useLive } from '../live/live-provider.tsx'
import { useRoute } from '../route/use-route.ts'
import { rateText, topicParts } from '../text/format.ts'
import type { MapService, MapTopic } from './graph.ts'
import { ServiceCard } from './service-card.tsx'

/** React Flow requires handles, although the lines have their own coordinates. */
function Ends(): ReactNode {
  return (
    <>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </>
  )
}

export function ServiceNode({ data }: NodeProps): ReactNode {
  const { service } = data as { service: MapService }
  return (
    <>
      <Ends />
      <ServiceCard service={service} />
    </>
  )
}

export function TopicNode({ data }: NodeProps): ReactNode {
  const { topic } = data as { topic: MapTopic }
  const route = useRoute()
  const { history } = useLive()
  const rate = history.rates.topics.get(topic.name) ?? 0
  const [owner, carried] = topicParts(topic.name)
  return (
    <>
      <Ends />
      <a
        className="topic-pill nopan"
        data-carries={topic.carries}
        data-is-open={route.kind === 'topic' && route.name === topic.name}
        data-opens={`topic:${topic.name}`}
        href={`#/topic/${encodeURIComponent(topic.name)}`}
      >
        <span className="only-spoken">Topic </span>
        <span className="topic-name" title={topic.name}>
          {owner}
          <span>{carried}</span>
        </span>
        <span className="topic-rate">
          {rateText(rate)}
          <span className="only-spoken"> a second</span>
        </span>
      </a>
    </>
  )
}

export function EntryNode(): ReactNode {
  return (
    <>
      <Ends />
      <span className="door" title="From outside">
        <LogIn size={16} aria-hidden />
        <span className="only-spoken">Commands from outside</span>
      </span>
    </>
  )
}
