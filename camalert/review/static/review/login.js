// After too many wrong passwords: the form waits as long as it has to, and says how long.

const refusal = document.getElementById("refusal");
const button = document.querySelector("main form button");
const endsAt = Date.now() + Number(refusal.dataset.seconds) * 1000;

function turn() {
  const left = Math.ceil((endsAt - Date.now()) / 1000);
  button.disabled = left > 0;
  document.getElementById("wait").textContent = left > 0 ? `${left} s` : "";
  if (left > 0) setTimeout(turn, 500);
}
turn();
