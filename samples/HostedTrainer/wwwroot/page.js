"use strict";
const list = document.getElementById("trainings");
const problems = document.getElementById("problems");
const actions = { queued: ["cancel"], running: ["pause", "sample", "stop", "cancel"], paused: ["resume", "stop", "cancel"] };

function show(training) {
  const known = document.getElementById("training-" + training.id);
  const card = known ?? document.getElementById("training").content.cloneNode(true).firstElementChild;
  const find = selector => card.querySelector(selector);
  if (!known) {
    card.id = "training-" + training.id;
    card.losses = [];
    for (const button of card.querySelectorAll("[data-action]"))
      button.onclick = () => fetch(`/trainings/${training.id}/${button.dataset.action}`, { method: "POST" });
    list.prepend(card);
    document.getElementById("none").hidden = true;
  }
  card.className = training.state;
  find("h2").textContent = training.name;
  find(".state").textContent = training.state;
  for (const button of card.querySelectorAll("[data-action]")) button.hidden = !actions[training.state]?.includes(button.dataset.action);
  find("progress").value = training.steps ? training.step / training.steps : 0;
  find(".phase").textContent = phaseOf(training);
  find(".error").hidden = !training.error;
  find(".error").textContent = training.error ?? "";
  find(".warnings").hidden = training.warnings.length === 0;
  find(".warnings").replaceChildren(...training.warnings.map(text => Object.assign(document.createElement("li"), { textContent: text })));
  const file = find(".file");
  file.hidden = !training.file;
  file.textContent = "Download " + (training.file ?? "");
  file.href = `/trainings/${training.id}/file`;
  const sheet = training.samples.at(-1);
  find(".drawn").hidden = !sheet;
  if (sheet && !find("img").src.endsWith(sheet)) {
    find("img").src = sheet;
    find(".drawn figcaption").textContent = "Samples so far, before training and after each quarter";
  }
  if (training.losses.length > 0) {
    card.losses.push(...training.losses);
    find(".chart").hidden = false;
    draw(find("svg"), card.losses, training.steps);
  }
}

/* Whether it may still change. */
const follows = training => ["queued", "running", "paused"].includes(training.state);

function phaseOf(training) {
  const parts = [];
  if (training.phase) parts.push(training.phase);
  else if (training.steps) parts.push(`${training.step} of ${training.steps} steps`);
  else if (training.state === "queued") parts.push("waits for its turn");
  if (training.average !== null) parts.push(`mean loss ${training.average.toFixed(4)}`);
  if (training.state === "running" && training.speed) parts.push(`${training.speed.toFixed(1)} steps/s`);
  if (training.state === "running" && training.secondsLeft !== null) parts.push(`about ${Math.ceil(training.secondsLeft)} s left`);
  return parts.join(" · ");
}

/* Steps to the right, loss upwards; of many steps as many as there are pixels. */
function draw(svg, losses, steps) {
  const [left, right, top, bottom] = [46, 632, 10, 194];
  const every = Math.ceil(losses.length / 600);
  const points = losses.filter((_, i) => i % every === 0 || i === losses.length - 1);
  const values = points.flatMap(([, loss, mean]) => [loss, mean]);
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const margin = (high - low || Math.abs(high) || 1) * 0.06;
  [low, high] = [Math.max(0, low - margin), high + margin];
  const x = step => left + (right - left) * (step - 1) / Math.max(1, steps - 1);
  const y = loss => bottom - (bottom - top) * (loss - low) / (high - low);
  const line = (name, of) => element("polyline", { class: name, points: points.map(point => `${x(point[0]).toFixed(1)},${y(of(point)).toFixed(1)}`).join(" ") });
  const marks = [];
  for (let i = 0; i <= 4; i++) {
    const loss = low + (high - low) * i / 4;
    marks.push(element("line", { class: "grid", x1: left, x2: right, y1: y(loss), y2: y(loss) }));
    marks.push(element("text", { x: left - 6, y: y(loss) + 4, "text-anchor": "end" }, loss.toFixed(high - low < 0.1 ? 3 : 2)));
  }
  for (const step of new Set([1, Math.round(steps / 2), steps]))
    marks.push(element("text", { x: x(step), y: bottom + 18, "text-anchor": step === 1 ? "start" : step === steps ? "end" : "middle" }, step));
  svg.replaceChildren(...marks, line("each", point => point[1]), line("mean", point => point[2]));
}

function element(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/* A browser that lost the line asks again by itself, and says what it knows already. */
function follow(training) {
  show(training);
  if (!follows(training)) return;
  const events = new EventSource(`/trainings/${training.id}/events?after=${training.losses.at(-1)?.[0] ?? 0}`);
  events.addEventListener("status", event => {
    const status = JSON.parse(event.data);
    show(status);
    if (!follows(status)) events.close();
  });
}

document.getElementById("new").onsubmit = async event => {
  event.preventDefault();
  const form = new FormData(event.target);
  const answer = await fetch("/trainings", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      name: form.get("name"), steps: Number(form.get("steps")), rank: Number(form.get("rank")),
      learningRate: Number(form.get("learningRate")), prompt: form.get("prompt"),
    }),
  });
  const told = await answer.json();
  problems.hidden = answer.ok;
  problems.textContent = answer.ok ? "" : told.detail ?? told.title;
  if (answer.ok) follow(told);
};

fetch("/trainings").then(answer => answer.json()).then(all => all.forEach(follow));
