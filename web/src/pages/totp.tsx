// SPDX-License-Identifier: PostgreSQL
//
// totp.tsx: the second factor of one's own account: into an app, in use, and away again.
import { useSignal } from "@preact/signals";
import type { TotpState } from "../api";
import { loadSession, logout, paths, send, useAnswer, wordsOf } from "../data";
import { qrOf } from "../qr";
import { pulse } from "../state";
import { AdminFrame, Danger, Shown } from "../parts/admin";
import { Command } from "../parts/copy";
import { Banner, Chip } from "../parts/status";

interface Seed {
  secret: string;
  url: string;
}

/** Groups of four are easier to type into a phone. */
function grouped(secret: string): string {
  return secret.replace(/(.{4})(?=.)/g, "$1 ");
}

/** All there is for somebody whose role asks for a second factor. */
export function EnrolPage() {
  return (
    <AdminFrame title="A second factor first" note="Your role asks for one before all else.">
      <TotpPanel onEnrolled={loadSession} />
      <p><button type="button" class="button bordered" onClick={logout}>Sign out</button></p>
    </AdminFrame>
  );
}

export function TotpPanel({ onEnrolled }: { onEnrolled?: () => void }) {
  const state = useAnswer<TotpState>(paths.totp, pulse.value, "totp");
  const seed = useSignal<Seed | null>(null);
  const codes = useSignal<string[]>([]);
  const failed = useSignal("");
  async function begin(): Promise<void> {
    failed.value = "";
    try {
      seed.value = await send<Seed>("POST", "/auth/totp");
    } catch (error) {
      failed.value = wordsOf(error);
    }
  }
  return (
    <section class="panel" aria-label="Second factor">
      <header class="panel-head"><h2>Second factor</h2></header>
      <div class="panel-body">
        {codes.value.length > 0 && (
          <Codes
            codes={codes.value}
            onDone={() => {
              codes.value = [];
              onEnrolled?.();
            }}
          />
        )}
        <Shown answer={state}>
          {(s) => s.in_use ? <InUse state={s} /> : seed.value
            ? (
              <Enable
                seed={seed.value}
                onDone={(made) => {
                  seed.value = null;
                  codes.value = made;
                }}
              />
            )
            : (
              <>
                <p class="muted">
                  With a second factor, signing in asks for a code of an app on your phone as well.
                </p>
                <button type="button" class="button bordered" onClick={begin}>
                  Set up a second factor
                </button>
              </>
            )}
        </Shown>
        {failed.value && <p role="alert" class="hint hint-wrong">{failed.value}</p>}
      </div>
    </section>
  );
}

function InUse({ state }: { state: TotpState }) {
  return (
    <p>
      <Chip tone="ok" icon="check">in use</Chip> {state.recovery_codes_left} recovery codes are
      left. <Danger
        words="Do without it" act={() => send("DELETE", "/auth/totp")}
        ask="Sign in with the password alone from now on? The recovery codes are dead then."
      />
    </p>
  );
}

function Enable({ seed, onDone }: { seed: Seed; onDone: (codes: string[]) => void }) {
  const failed = useSignal("");
  async function submit(e: SubmitEvent): Promise<void> {
    e.preventDefault();
    const code = String(new FormData(e.currentTarget as HTMLFormElement).get("code")).trim();
    failed.value = "";
    try {
      const made = await send<{ recovery_codes: string[] }>("POST", "/auth/totp/enable", { code });
      onDone(made.recovery_codes);
    } catch (error) {
      failed.value = wordsOf(error);
    }
  }
  return (
    <form onSubmit={submit} class="door-form">
      <p>Read this with an authenticator app:</p>
      <QrCode text={seed.url} />
      <p>Or add the key by hand (time based, six digits, 30 seconds):</p>
      <Command label="Copy the key" text={grouped(seed.secret)} />
      <p class="muted">On this device: <a href={seed.url}>open it in an app</a>.</p>
      <label for="totp-code">Then the code that the app shows</label>
      <input
        id="totp-code" name="code" class="input mono" required maxLength={6} inputMode="numeric"
        autocomplete="one-time-code"
      />
      {failed.value && <p role="alert" class="hint hint-wrong">{failed.value}</p>}
      <button class="button button-main">Use it from now on</button>
    </form>
  );
}

/** Dark on light in both themes, with the quiet zone that readers want: four squares. */
function QrCode({ text }: { text: string }) {
  const qr = qrOf(text);
  if (!qr) return null; // a name that is too long: the key by hand remains
  const d = qr.dark.flatMap((row, y) =>
    row.flatMap((dark, x) => (dark ? [`M${x + 4} ${y + 4}h1v1h-1z`] : []))).join("");
  const side = qr.size + 8;
  return (
    <svg
      class="qr" viewBox={`0 0 ${side} ${side}`} role="img" shape-rendering="crispEdges"
      aria-label="QR code of the key below"
    >
      <rect width={side} height={side} class="qr-light" />
      <path d={d} class="qr-dark" />
    </svg>
  );
}

function Codes({ codes, onDone }: { codes: string[]; onDone: () => void }) {
  return (
    <Banner tone="info">
      <p>
        <strong>Recovery codes, shown once.</strong> Each opens once in place of a code, when the
        phone is lost.
      </p>
      <Command label="Copy the codes" text={codes.join("\n")} />
      <button type="button" class="button" onClick={onDone}>I have them; forget them here</button>
    </Banner>
  );
}
