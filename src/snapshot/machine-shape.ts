/**
 * The shape of the machine that a snapshot was taken from: nodes, zones, processors.
 */

import { ZONE_TYPES } from "../memory/constants.ts";
import type { MemoryShape } from "../memory/memory.ts";
import type { Snapshot, SnapshotZone } from "./snapshot.ts";

/** Distance of a node to itself and, if no file tells, to any other. Linux: `node_distance()`. */
const LOCAL_DISTANCE = 10;
const REMOTE_DISTANCE = 20;

/** Zones with memory only, by node and type. */
export function shapeOfSnapshot(snapshot: Snapshot): MemoryShape {
  const zones = snapshot.zones.filter(({ present }) => present > 0).sort(byNodeAndType);
  const nodeCount = 1 + Math.max(...zones.map(({ node }) => node));
  const cpuCount = Math.max(1, ...zones.map(({ pcp }) => pcp.length));
  const nodes = Array.from({ length: nodeCount }, (_, node) => node);
  return {
    pageCount: snapshot.pageCount,
    nodeOfCpu: Array.from({ length: cpuCount }, (_, cpu) => cpu % nodeCount),
    distances: nodes.map((from) =>
      nodes.map((to) => (from === to ? LOCAL_DISTANCE : REMOTE_DISTANCE)),
    ),
    zones,
  };
}

function byNodeAndType(a: SnapshotZone, b: SnapshotZone): number {
  return a.node - b.node || ZONE_TYPES.indexOf(a.type) - ZONE_TYPES.indexOf(b.type);
}
