// SPDX-License-Identifier: PostgreSQL
//
// probes.tsx: what pga cannot see on this target, why, and the statement that changes it.
import { useSignal } from "@preact/signals";
import type { Probe, TargetDetail } from "../api";
import { Command } from "./copy";
import { Icon, type IconName } from "./icon";
import { Age } from "./status";

const LOOK: Record<string, { word: string; icon: IconName; tone: string }> = {
  denied: { word: "not allowed", icon: "warn", tone: "warn" },
  error: { word: "fails", icon: "warn", tone: "crit" },
  shed: { word: "left out to save load", icon: "info", tone: "unknown" },
  no_data: { word: "nothing there", icon: "info", tone: "unknown" },
};

export function troubled(detail: TargetDetail): Probe[] {
  return (detail.probes ?? []).filter((p) => p.state in LOOK);
}

/** What needs somebody. A source with nothing to read is told where its data would be. */
export function Probes({ detail }: { detail: TargetDetail }) {
  const open = useSignal(false);
  const list = troubled(detail).filter((p) => p.state !== "no_data");
  if (list.length === 0) return null;
  const serious = list.filter((p) => p.state === "denied" || p.state === "error");
  const names = list.map((p) => p.probe).join(", ");
  return (
    <section class={`panel probes ${serious.length > 0 ? "probes-serious" : ""}`}>
      <button
        type="button"
        class="probes-head"
        aria-expanded={open.value}
        onClick={() => (open.value = !open.value)}
      >
        <Icon name={serious.length > 0 ? "warn" : "info"} />
        <strong>{list.length} {list.length === 1 ? "source" : "sources"} without data</strong>
        <span class="muted ellipsis">{names}</span>
        <span class="grow" />
        <span class="probes-more">{open.value ? "Hide" : "Why, and how to fix it"}</span>
      </button>
      {open.value && (
        <ul class="probe-list">
          {list.map((p) => (
            <ProbeItem key={p.probe} probe={p} />
          ))}
        </ul>
      )}
    </section>
  );
}

export function ProbeItem({ probe }: { probe: Probe }) {
  const look = LOOK[probe.state] ?? LOOK["error"]!;
  return (
    <li>
      <p>
        <span class={`chip chip-${look.tone}`}>
          <Icon name={look.icon} />
          {look.word}
        </span>{" "}
        <strong>{probe.probe}</strong>{" "}
        <span class="muted">
          last tried <Age ms={probe.last_run_ms} />
        </span>
      </p>
      {probe.reason && <p>{probe.reason}</p>}
      {probe.fix && <Command text={probe.fix} label="Copy the statement" />}
    </li>
  );
}
