// SPDX-License-Identifier: PostgreSQL
//
// copy.tsx: copying text, commands to copy, and saving a file.
import { useSignal } from "@preact/signals";
import { Icon, type IconName } from "./icon";

/** The clipboard needs a secure context; the older way works where it is missing. */
async function writeClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "off-screen";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

export function CopyButton(props: {
  text: string | (() => string);
  label: string;
  words?: string;
  icon?: IconName;
}) {
  const state = useSignal<"" | "done" | "failed">("");
  async function copy(e: MouseEvent): Promise<void> {
    e.stopPropagation();
    const text = typeof props.text === "string" ? props.text : props.text();
    state.value = (await writeClipboard(text)) ? "done" : "failed";
    setTimeout(() => (state.value = ""), 1600);
  }
  const words =
    state.value === "done" ? "Copied" : state.value === "failed" ? "Not copied" : props.words;
  return (
    <button type="button" class="button button-quiet" title={props.label} onClick={copy}>
      <Icon name={state.value === "done" ? "check" : (props.icon ?? "copy")} />
      {words ?? <span class="sr">{props.label}</span>}
      <span class="sr" aria-live="polite">{state.value === "done" ? "copied" : ""}</span>
    </button>
  );
}

/** Text to run elsewhere, with a button that copies exactly that text. */
export function Command(props: { text: string; label: string }) {
  return (
    <div class="command">
      <pre><code>{props.text}</code></pre>
      <CopyButton text={props.text} label={props.label} words="Copy" />
    </div>
  );
}

/** The browser saves what is at an address. */
export function follow(href: string, name: string): void {
  const link = document.createElement("a");
  link.href = href;
  link.download = name.replace(/[^\w.-]+/g, "-");
  link.click();
}

export function download(name: string, mime: string, text: string): void {
  const href = URL.createObjectURL(new Blob([text], { type: mime }));
  follow(href, name);
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}
