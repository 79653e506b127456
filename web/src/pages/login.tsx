// SPDX-License-Identifier: PostgreSQL
//
// login.tsx: signing in, and making the first owner with the one-time code.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { AuthState } from "../api";
import { ApiError, loadAuthState, login, outage, setup, WANTS_CODE } from "../data";
import { go, route } from "../state";
import { OutageBanner } from "../parts/status";

const MIN_PASSWORD = 12;

function explain(error: unknown): string {
  if (!(error instanceof ApiError)) return String(error);
  if (error.unreachable) return "The server cannot be reached.";
  if (error.status === 429) {
    return `Too many tries. Wait ${error.retryAfterS ?? "some"} seconds and try again.`;
  }
  return error.message;
}

/** The door: which of the two forms it shows is the server's decision. */
export function DoorPage() {
  const state = useSignal<AuthState | null>(null);
  const failed = useSignal("");
  const down = outage.value;
  useEffect(() => {
    loadAuthState().then(
      (s) => {
        state.value = s;
        failed.value = "";
        if (s.setup_required && route.value.page !== "setup") go("/setup", "replace");
        if (!s.setup_required && route.value.page === "setup") go("/login", "replace");
      },
      (error: unknown) => (failed.value = explain(error)),
    );
  }, [down === null, down?.retryAtMs === 0]);
  return (
    <main class="door" id="main" tabIndex={-1}>
      <OutageBanner />
      <div class="door-card">
        <div class="door-brand">
          <img src="/favicon.svg" alt="" width="40" height="40" />
          <div><strong>pga</strong><span class="muted">watches PostgreSQL</span></div>
        </div>
        {state.value === null && (failed.value && !down
          ? <p role="alert" class="hint hint-wrong">{failed.value}</p>
          : <p class="muted">Asking the server …</p>)}
        {state.value !== null && (state.value.setup_required ? <SetupForm /> : <LoginForm />)}
        {state.value !== null && <p class="muted small">Version {state.value.version}</p>}
      </div>
    </main>
  );
}

function LoginForm() {
  const error = useSignal("");
  const busy = useSignal(false);
  const wantsCode = useSignal(false);
  async function submit(e: SubmitEvent): Promise<void> {
    e.preventDefault();
    const form = new FormData(e.currentTarget as HTMLFormElement);
    busy.value = true;
    error.value = "";
    try {
      await login(String(form.get("username")), String(form.get("password")),
        String(form.get("code") ?? "").trim());
      if (route.value.page === "login" || route.value.page === "setup") go("/", "replace");
    } catch (cause) {
      if (cause instanceof ApiError && cause.type === WANTS_CODE) {
        error.value = wantsCode.value ? explain(cause) : "";
        wantsCode.value = true;
      } else {
        error.value = cause instanceof ApiError && cause.status === 401
          ? "Unknown user or wrong password." : explain(cause);
      }
      busy.value = false;
    }
  }
  return (
    <form onSubmit={submit} class="door-form">
      <h1>Sign in</h1>
      <label for="username">User</label>
      <input id="username" name="username" class="input" autocomplete="username" required autofocus
        autocapitalize="none" spellcheck={false} />
      <label for="password">Password</label>
      <input id="password" name="password" class="input" type="password"
        autocomplete="current-password" required />
      {wantsCode.value && <CodeField />}
      {error.value && <p role="alert" class="hint hint-wrong">{error.value}</p>}
      <button class="button button-main" disabled={busy.value}>
        {busy.value ? "Signing in …" : "Sign in"}
      </button>
    </form>
  );
}

/** It appears when the password was right: the person goes on where the form goes on. */
function CodeField() {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  return (
    <>
      <label for="code">Code of your second factor</label>
      <input ref={input} id="code" name="code" class="input mono" required maxLength={32}
        autocomplete="one-time-code" spellcheck={false} aria-describedby="code-hint" />
      <p id="code-hint" class="hint">Six digits of the app, or a recovery code.</p>
    </>
  );
}

function SetupForm() {
  const error = useSignal("");
  const busy = useSignal(false);
  async function submit(e: SubmitEvent): Promise<void> {
    e.preventDefault();
    const form = new FormData(e.currentTarget as HTMLFormElement);
    const text = (name: string): string => String(form.get(name));
    if (text("password") !== text("again")) {
      error.value = "The two passwords differ.";
      return;
    }
    busy.value = true;
    error.value = "";
    try {
      await setup(text("code").trim(), text("username"), text("password"));
      go("/", "replace");
    } catch (cause) {
      error.value = explain(cause);
      busy.value = false;
    }
  }
  return (
    <form onSubmit={submit} class="door-form">
      <h1>Make the first owner</h1>
      <p class="muted">
        The server printed a one-time code when it started (<code>setup code: …</code>). It is valid
        for 30 minutes; a restart prints a new one.
      </p>
      <label for="code">Setup code</label>
      <input
        id="code"
        name="code"
        class="input mono"
        required
        autofocus
        autocomplete="one-time-code"
        placeholder="XXXX-XXXX-XXXX"
        spellcheck={false}
        autocapitalize="characters"
      />
      <label for="username">User</label>
      <input id="username" name="username" class="input" autocomplete="username" required
        autocapitalize="none" spellcheck={false} />
      <label for="password">Password</label>
      <input id="password" name="password" class="input" type="password" minLength={MIN_PASSWORD}
        maxLength={128} autocomplete="new-password" required aria-describedby="password-hint" />
      <p id="password-hint" class="hint">At least {MIN_PASSWORD} characters.</p>
      <label for="again">Password again</label>
      <input id="again" name="again" class="input" type="password" minLength={MIN_PASSWORD}
        maxLength={128} autocomplete="new-password" required />
      {error.value && <p role="alert" class="hint hint-wrong">{error.value}</p>}
      <button class="button button-main" disabled={busy.value}>
        {busy.value ? "Creating …" : "Create owner and sign in"}
      </button>
    </form>
  );
}
