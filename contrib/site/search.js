// The list of search.html, narrowed to what is asked for: names that match come first. Without a script it is the whole list.
"use strict";
const list = document.getElementById("entries");
const count = document.getElementById("count");
const all = count.textContent;
const box = document.querySelector("input[type=search]");
const entries = [...list.children].map((item) => ({
  item,
  names: (item.querySelector("a").textContent + " " + item.querySelector("b").textContent).toLowerCase().split(/[\s,=[\]()]+/),
  text: item.textContent.toLowerCase(),
}));

// how far from it a word is: a whole name, the beginning of one, anywhere
function distance(entry, word) {
  if (entry.names.includes(word)) return 0;
  if (entry.names.some((name) => name.replace(/^-+/, "").startsWith(word))) return 1;
  return entry.text.includes(word) ? 3 : Infinity;
}

function show() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = entries
    .map((entry) => ({ item: entry.item, far: words.reduce((sum, word) => sum + distance(entry, word), 0) }))
    .filter((entry) => entry.far < Infinity)
    .sort((a, b) => a.far - b.far);
  list.replaceChildren(...found.map((entry) => entry.item));
  count.textContent = words.length
    ? `${found.length} of ${entries.length} applets, options, variables, signals and sections`
    : all;
}

box.value = new URLSearchParams(location.search).get("q") || "";
box.addEventListener("input", show);
box.form.addEventListener("submit", (event) => event.preventDefault());
box.focus();
show();
