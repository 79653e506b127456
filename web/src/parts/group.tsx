// SPDX-License-Identifier: PostgreSQL
//
// group.tsx: the group of a target, agent or instance: shown to all, changed by an admin.
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { send, wordsOf } from "../data";
import { GROUP_PATTERN } from "../groups";
import { mayAct } from "./admin";

/** `path`: where the thing is, such as "/servers/ID"; an admin may move it. */
export function Group(props: { group: string | null | undefined; name: string; path: string }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const failed = useSignal("");
  if (!props.group) return null;
  async function move(e: SubmitEvent): Promise<void> {
    e.preventDefault();
    const form = new FormData(e.currentTarget as HTMLFormElement);
    failed.value = "";
    try {
      await send("PUT", props.path, { group: String(form.get("group")).trim() });
      dialog.current?.close();
    } catch (error) {
      failed.value = wordsOf(error);
    }
  }
  if (!mayAct("admin")) return <span class="muted">group {props.group}</span>;
  return (
    <>
      <button
        type="button" class="button button-quiet" title={`Move ${props.name} to another group`}
        onClick={() => dialog.current?.showModal()}
      >
        group {props.group}
      </button>
      <dialog ref={dialog} class="dialog dialog-small" aria-label={`Group of ${props.name}`}>
        <form onSubmit={move}>
          <label class="field">
            <span>Group of {props.name}</span>
            <input
              name="group" class="input" required maxLength={64} pattern={GROUP_PATTERN}
              defaultValue={props.group} autocapitalize="none" spellcheck={false}
            />
            <span class="hint">a-z, 0-9, dot, dash, underscore; who sees it: the page Users</span>
          </label>
          {failed.value && <p role="alert" class="hint hint-wrong">{failed.value}</p>}
          <div class="dialog-foot">
            <button type="button" class="button bordered" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
            <button type="submit" class="button button-main">Move</button>
          </div>
        </form>
      </dialog>
    </>
  );
}
