// SPDX-License-Identifier: PostgreSQL
//
// proof.tsx: asks once more who sits here, when the server wants to know for a change.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { proofWanted, prove, wordsOf } from "../data";

export function ProofDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const failed = useSignal("");
  const busy = useSignal(false);
  const byCode = useSignal(false);
  const wanted = proofWanted.value;
  useEffect(() => {
    if (wanted && dialog.current && !dialog.current.open) {
      failed.value = "";
      dialog.current.showModal();
    }
  }, [wanted]);

  function end(given: boolean): void {
    proofWanted.value?.(given);
    proofWanted.value = null;
    dialog.current?.close();
  }
  async function submit(e: SubmitEvent): Promise<void> {
    e.preventDefault();
    const form = e.currentTarget as HTMLFormElement;
    busy.value = true;
    failed.value = "";
    try {
      const text = String(new FormData(form).get("proof"));
      await prove(byCode.value ? { code: text.trim() } : { password: text });
      form.reset();
      end(true);
    } catch (error) {
      failed.value = wordsOf(error);
    } finally {
      busy.value = false;
    }
  }
  return (
    <dialog
      ref={dialog} class="dialog dialog-small" aria-labelledby="proof-title"
      onClose={() => end(false)}
    >
      <form onSubmit={submit} class="door-form">
        <h2 id="proof-title">Is it still you?</h2>
        <p class="muted">
          This change asks for a fresh proof. For five minutes you will not be asked a second time.
        </p>
        <label for="proof">{byCode.value ? "Code of your second factor" : "Password"}</label>
        {byCode.value
          ? (
            <input
              id="proof" name="proof" class="input" type="text" required
              autocomplete="one-time-code"
            />
          )
          : (
            <input
              id="proof" name="proof" class="input" type="password" required
              autocomplete="current-password"
            />
          )}
        <p>
          <button
            type="button" class="button button-quiet" onClick={() => (byCode.value = !byCode.value)}
          >
            {byCode.value ? "Use the password instead" : "Use a code instead"}
          </button>
        </p>
        {failed.value && <p role="alert" class="hint hint-wrong">{failed.value}</p>}
        <div class="dialog-foot">
          <button type="button" class="button bordered" onClick={() => end(false)}>Cancel</button>
          <button class="button button-main" disabled={busy.value}>Go on</button>
        </div>
      </form>
    </dialog>
  );
}
