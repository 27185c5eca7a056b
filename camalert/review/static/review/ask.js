// What the pages' scripts share: ask the server, tell the person, confirm a deletion.

/** Send a change; the answer's JSON, or an error with words for the person. */
export async function send(url, body) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": document.body.dataset.csrf },
    body: JSON.stringify(body),
  });
  if (response.status === 401) location.reload();
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The server answered ${response.status}.`);
  return answer;
}

/** Show a message at the top; a later one takes its place. */
export function tell(words, kind = "success") {
  const line = document.createElement("p");
  line.className = `message ${kind}`;
  line.textContent = words;
  document.getElementById("messages").replaceChildren(line);
}

/** Ask before pictures are deleted; resolves to whether they shall be. */
export function confirmDelete(count) {
  const dialog = document.getElementById("delete");
  document.getElementById("delete-what").textContent = count === 1 ? "this picture" : `${count} pictures`;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Whether a key belongs to what has the focus and not to the page. */
export function isTyping(event) {
  return event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") !== null
    || event.target.closest("input:not([type=checkbox]), select, textarea, video") !== null;
}
