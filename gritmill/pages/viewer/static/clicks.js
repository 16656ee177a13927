// Asks for each of some boxes whether it is right. The answers stay in the browser, and can be saved and loaded.
"use strict";

(() => {
  const { element, words, phraseText, number, plural, cut } = window.gritmill;
  const { run, samples, clicks } = window.GRITMILL;
  const { file, places } = clicks;
  const control = (id) => document.getElementById(id);
  const ANSWERS = ["yes", "no", "skipped"];
  const KEPT_AS = `gritmill clicks ${file.digest}`; // of this run and this choice of boxes only
  const DASHED = "The dashed boxes were found before. If one of them holds the same thing, answer no.";
  const SMALL = 0.3; // of the image's sides: a box that is smaller has a close-up

  let given = []; // [number of the box, answer], in the order of the answers
  let unwritten = false; // whether the browser refuses to keep the answers

  const answerOf = () => new Map(given);
  const isAnswer = ([at, answer]) => Number.isInteger(at) && at >= 0 && at < places.length && ANSWERS.includes(answer);

  function restore() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEPT_AS) ?? "[]").filter(isAnswer);
      given = [...new Map(kept)];
    } catch {
      given = [];
    }
  }

  function keep() {
    try {
      localStorage.setItem(KEPT_AS, JSON.stringify(given));
    } catch {
      unwritten = true;
    }
  }

  /** The number of the first box without an answer; the number of boxes if there is none. */
  function current() {
    const known = answerOf();
    const next = places.findIndex((_, at) => !known.has(at));
    return next < 0 ? places.length : next;
  }

  // The question

  /** The caption: the phrase is marked, its referring expression is underlined. */
  function caption(sample, phrase) {
    const [start, end, , , first, last] = sample.phrases[phrase];
    const part = (from, to) => words(sample, from, Math.max(from, to));
    const mark = element("mark", { class: "colour-0" }, part(start, end));
    const inside = [part(first, start), mark, part(end, last)];
    return element(
      "p",
      { class: "caption", dir: "auto" },
      part(0, Math.min(first, start)),
      element("span", { class: "expression colour-0" }, ...inside),
      part(Math.max(last, end), sample.chars.length),
    );
  }

  function outline(box, kind) {
    const one = element("div", { class: kind });
    const [x1, y1, x2, y2] = box.slice(1, 5).map((value) => value * 100);
    Object.assign(one.style, { left: `${x1}%`, top: `${y1}%`, width: `${x2 - x1}%`, height: `${y2 - y1}%` });
    return one;
  }

  function sheet(sample, box, better, alt) {
    const { width, height } = sample.width && sample.height ? sample : { width: 4, height: 3 };
    const image = element("img", { src: sample.picture, alt, draggable: "false" });
    const others = better.map((at) => outline(sample.boxes[at], "better"));
    const whole = element("div", { class: "sheet colour-0" }, image, ...others, outline(box, "asked"));
    whole.style.setProperty("--ratio", width / height);
    return whole;
  }

  /** The box with as much around it, enlarged; null if the box is large. */
  function closeup(sample, box, better) {
    const [, x1, y1, x2, y2] = box;
    if (Math.max(x2 - x1, y2 - y1) > SMALL) return null;
    const frame = element("div", { class: "frame closeup" });
    const whole = sheet(sample, box, better, "");
    frame.append(whole);
    const fit = () => {
      const [width, height] = [sample.width || 4, sample.height || 3];
      const scale = Math.min(frame.clientWidth / ((x2 - x1) * width), frame.clientHeight / ((y2 - y1) * height)) / 2;
      const left = frame.clientWidth / 2 - ((x1 + x2) / 2) * width * scale;
      const top = frame.clientHeight / 2 - ((y1 + y2) / 2) * height * scale;
      const sides = { left, top, width: width * scale, height: height * scale };
      for (const [side, value] of Object.entries(sides)) whole.style[side] = `${value}px`;
    };
    new ResizeObserver(fit).observe(frame);
    return frame;
  }

  function ask(at) {
    const [number, candidate, better] = places[at];
    const sample = samples[number];
    const box = sample.boxes[candidate];
    sample.chars ??= Array.from(sample.caption);
    const name = element("mark", { class: "colour-0" }, element("bdi", {}, cut(phraseText(sample, box[0]), 200)));
    control("question").replaceChildren("Is the box right for ", name, "?");
    const views = element("div", { class: "views" }, element("div", { class: "frame" }, sheet(sample, box, better, sample.caption)));
    const near = closeup(sample, box, better);
    if (near) views.append(near);
    control("show").replaceChildren(views, caption(sample, box[0]));
    if (better.length) control("show").prepend(element("p", { class: "dashed" }, DASHED));
    if (at + 1 < places.length) new Image().src = samples[places[at + 1][0]].picture;
  }

  function finish() {
    const all = places.length ? `${plural(places.length, "box")}: all have an answer. Save your answers.` : "This run has no box to ask about.";
    control("question").replaceChildren(all);
    control("show").replaceChildren();
  }

  // The page

  /** Wilson's 95 % interval of a share, in percent. */
  function limits(found, of) {
    const [share, square] = [found / of, 1.96 ** 2 / of];
    const half = 1.96 * Math.sqrt((share * (1 - share)) / of + square / (4 * of));
    const ends = [-half, half].map((step) => Math.round((100 * (share + square / 2 + step)) / (1 + square)));
    return `${ends[0]} to ${ends[1]} %`;
  }

  function show() {
    const at = current();
    const counts = Object.fromEntries(ANSWERS.map((one) => [one, given.filter(([, answer]) => answer === one).length]));
    if (at < places.length) ask(at);
    else finish();
    for (const one of ANSWERS) {
      control(one).disabled = at === places.length;
      control(`tally-${one}`).textContent = number(counts[one]);
    }
    control("undo").disabled = control("save").disabled = !given.length;
    control("progress").max = places.length || 1;
    control("progress").value = given.length;
    control("count").textContent = at < places.length ? `box ${number(given.length + 1)} of ${number(places.length)}` : "done";
    const decided = counts.yes + counts.no;
    control("estimate").textContent = decided
      ? `Yes: ${Math.round((100 * counts.yes) / decided)} % of ${plural(decided, "answer")}, 95 % interval ${limits(counts.yes, decided)}. The boxes are spread over all scores, ` +
        "so this is not the precision of the run: calibrate computes it."
      : "";
  }

  const say = (text) => (control("status").textContent = text);

  function changed() {
    keep();
    show();
    say(unwritten ? "This browser does not keep the answers: save them before you close the page." : "");
    control("question").focus({ preventScroll: true }); // so that the space bar skips, and the question is read out
  }

  function answer(how) {
    const at = current();
    if (at === places.length) return;
    given.push([at, how]);
    changed();
  }

  function undo() {
    if (!given.length) return;
    given.pop();
    changed();
  }

  // Files

  function content() {
    const known = answerOf();
    return { ...file, boxes: file.boxes.map((box, at) => ({ ...box, answer: known.get(at) ?? null })) };
  }

  function save() {
    const text = `${JSON.stringify(content())}\n`;
    const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })), download: "clicks.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    say(`${plural(given.length, "answer")} saved as clicks.json.`);
  }

  /** The answers in a file of this page. Throws the reason if it is another file. */
  function read(text) {
    let loaded = null;
    try {
      loaded = JSON.parse(text);
    } catch {
      throw new Error("it is not JSON");
    }
    if (!Array.isArray(loaded?.boxes) || !loaded.gritmill_clicks) throw new Error("this page did not save it");
    if (loaded.digest !== file.digest || loaded.boxes.length !== places.length) {
      throw new Error("it is about other boxes: of another run, seed or --clicks");
    }
    return loaded.boxes.map((box, at) => [at, box?.answer]).filter(isAnswer);
  }

  async function load(chosen) {
    try {
      const loaded = read(await chosen.text());
      const known = new Map(loaded);
      given = [...given.filter(([at]) => !known.has(at)), ...loaded];
      changed();
      say(`${plural(loaded.length, "answer")} loaded from ${chosen.name}.`);
    } catch (error) {
      say(`${chosen.name} is not loaded: ${error.message}.`);
    }
  }

  // Keys

  const KEYS = new Map([
    ...["y", "ArrowRight"].map((key) => [key, () => answer("yes")]),
    ...["n", "ArrowLeft"].map((key) => [key, () => answer("no")]),
    ...["s", " "].map((key) => [key, () => answer("skipped")]),
    ...["u", "z", "Backspace"].map((key) => [key, undo]),
  ]);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === " " && event.target.matches("button, input, a")) return; // it presses the button
    const act = KEYS.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
    if (!act) return;
    event.preventDefault();
    if (!event.repeat) act(); // a key that is held down answers once
  });

  for (const one of ANSWERS) control(one).addEventListener("click", () => answer(one));
  control("undo").addEventListener("click", undo);
  control("save").addEventListener("click", save);
  control("load").addEventListener("change", (event) => {
    const [chosen] = event.target.files;
    event.target.value = ""; // so that the same file can be chosen again
    if (chosen) load(chosen);
  });

  document.title = `Check boxes · ${run.name} · gritmill view`;
  control("warnings").textContent = run.warnings.join(". ");
  control("name").textContent = `${run.name} · ${plural(places.length, "box")}, spread over the scores`;
  restore();
  show();

  Object.assign(window.gritmill, { clicks: content });
})();
