// Copies the link that was just made.

const button = document.getElementById("share-copy");
button?.addEventListener("click", async () => {
  const link = document.getElementById("share-link");
  link.select();
  try {
    await navigator.clipboard.writeText(link.value);
  } catch {
    document.execCommand("copy"); // without HTTPS browsers have no other way
  }
  button.textContent = button.dataset.done;
});
