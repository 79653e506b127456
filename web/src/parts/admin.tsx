// SPDX-License-Identifier: PostgreSQL
//
// admin.tsx: what the pages about pga itself have in common: frame, forms, and asking before
// something is taken away.
import type { ComponentChildren } from "preact";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { who, wordsOf, type Answer } from "../data";
import { Failure } from "./status";

const RANK: Record<string, number> = { viewer: 1, auditor: 1, operator: 2, admin: 3, owner: 4 };

export function mayAct(role: "operator" | "admin" | "owner"): boolean {
  const w = who.value;
  return w.state === "user" && (RANK[w.user.role] ?? 0) >= RANK[role]!;
}

/** Whether the account is not limited to some groups of targets: what is about all is for it. */
export function seesAll(): boolean {
  const w = who.value;
  return w.state === "user" && !w.user.groups;
}

export function mayAudit(): boolean {
  const w = who.value;
  return w.state === "user" && (w.user.role === "auditor" || w.user.role === "owner");
}

export function AdminFrame(props: {
  title: string;
  note?: ComponentChildren;
  children: ComponentChildren;
}) {
  useEffect(() => {
    document.title = `${props.title} · pga`;
    return () => void (document.title = "pga");
  }, [props.title]);
  return (
    <main id="main" class="page" tabIndex={-1}>
      <div class="target-head">
        <div class="target-name">
          <h1>{props.title}</h1>
          {props.note && <p class="muted">{props.note}</p>}
        </div>
      </div>
      {props.children}
    </main>
  );
}

/** The data of an answer, or what is in its place. */
export function Shown<T>(props: { answer: Answer<T>; children: (data: T) => ComponentChildren }) {
  const { answer } = props;
  if (answer.data !== null) return <>{props.children(answer.data)}</>;
  if (answer.error) return <section class="panel"><Failure error={answer.error} /></section>;
  return (
    <div class="skeleton skeleton-table" aria-busy="true"><span class="sr">Loading</span></div>
  );
}

/** A button whose action cannot be undone: it asks, and says what failed. */
export function Danger(props: {
  words: string;
  /** What will happen, as a sentence. */
  ask: string;
  act: () => Promise<unknown>;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const failed = useSignal("");
  const busy = useSignal(false);
  async function act(): Promise<void> {
    busy.value = true;
    failed.value = "";
    try {
      await props.act();
      dialog.current?.close();
    } catch (error) {
      failed.value = wordsOf(error);
    } finally {
      busy.value = false;
    }
  }
  return (
    <>
      <button
        type="button" class="button button-quiet" onClick={() => dialog.current?.showModal()}
      >
        {props.words}
      </button>
      <dialog ref={dialog} class="dialog dialog-small" aria-label={props.words}>
        <p>{props.ask}</p>
        {failed.value && <p role="alert" class="hint hint-wrong">{failed.value}</p>}
        <div class="dialog-foot">
          <button type="button" class="button bordered" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="button" class="button button-danger" disabled={busy.value} onClick={act}>
            {props.words}
          </button>
        </div>
      </dialog>
    </>
  );
}

/** A form in a fold. `save` throws what went wrong; the words stand below the fields. */
export function FormPanel(props: {
  title: string;
  button: string;
  save: (form: FormData) => Promise<void>;
  /** Unfolded from the start. */
  open?: boolean;
  children: ComponentChildren;
}) {
  const failed = useSignal("");
  const busy = useSignal(false);
  async function submit(e: SubmitEvent): Promise<void> {
    e.preventDefault();
    const form = e.currentTarget as HTMLFormElement;
    busy.value = true;
    failed.value = "";
    try {
      await props.save(new FormData(form));
      form.reset();
    } catch (error) {
      failed.value = wordsOf(error);
    } finally {
      busy.value = false;
    }
  }
  return (
    <details class="panel form-panel" open={props.open}>
      <summary>{props.title}</summary>
      <form class="form-grid" onSubmit={submit}>
        {props.children}
        <div class="form-foot">
          <button type="submit" class="button button-main" disabled={busy.value}>
            {props.button}
          </button>
          {failed.value && <p role="alert" class="hint hint-wrong">{failed.value}</p>}
        </div>
      </form>
    </details>
  );
}

export function Field(props: { label: string; hint?: string; children: ComponentChildren }) {
  return (
    <label class="field">
      <span>{props.label}</span>
      {props.children}
      {props.hint && <span class="hint">{props.hint}</span>}
    </label>
  );
}

/** Milliseconds of a time as the API writes it for people; null when there is none. */
export function timeOfText(text: string | null | undefined): number | null {
  const t = Date.parse(text ?? "");
  return Number.isNaN(t) ? null : t;
}
