// SPDX-License-Identifier: PostgreSQL
//
// swagger.js: tries out a GET route from the page of the API's description, and shows the answer.
// Without it the forms still work for every path that has no {name} in it.

function addressOf(form) {
  let path = form.getAttribute("action");
  const query = new URLSearchParams();
  for (const input of form.querySelectorAll("input")) {
    const name = input.getAttribute("name");
    if (input.dataset.in === "path") path = path.replace(`{${name}}`, encodeURIComponent(input.value));
    else if (input.value !== "") query.append(name, input.value);
  }
  return query.size === 0 ? path : `${path}?${query}`;
}

async function send(form) {
  const out = form.querySelector("pre");
  out.hidden = false;
  try {
    const address = addressOf(form);
    const answer = await fetch(address);
    let text = await answer.text();
    if ((answer.headers.get("Content-Type") ?? "").includes("json")) {
      text = JSON.stringify(JSON.parse(text), null, 2);
    }
    out.textContent = `GET ${address}\n${answer.status} ${answer.statusText}\n\n${text.slice(0, 200000)}`;
  } catch (error) {
    out.textContent = String(error);
  }
}

for (const form of document.querySelectorAll("form.try")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send(form);
  });
}
