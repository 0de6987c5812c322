"use strict";
// What the page does: charts from the numbers in #data, variants that are shown or hidden, one zoom for all charts over
// time, values under the pointer or the arrow keys, tables with the same numbers. No figure is computed here but sums
// that put one area on top of another.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const FLOOR = 1000; // microseconds; less is drawn here on a logarithmic axis
  // Okabe and Ito's colours, which the colour-blind tell apart; a second round is dashed.
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#b0a000", "#8c6d5a"];
  const colour = (at) => COLOURS[at % COLOURS.length];
  const round = (at) => Math.floor(at / COLOURS.length);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const element = (tag, attributes = {}, ...inside) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== undefined) made.setAttribute(name, value);
    }
    made.append(...inside);
    return made;
  };

  // --- Units that a person reads ---
  const digits = (x) => (x >= 99.5 ? x.toFixed(0) : x >= 9.95 ? x.toFixed(1) : x.toFixed(2)).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
  const span = (us) => {
    if (us == null) return "–";
    if (us === 0) return "0";
    if (us < 1e3) return `${digits(us)} us`;
    if (us < 1e6) return `${digits(us / 1e3)} ms`;
    const s = us / 1e6;
    if (s < 60) return `${digits(s)} s`;
    const [h, m, rest] = [Math.floor(s / 3600), Math.floor(s / 60) % 60, Math.round(s) % 60];
    return h ? (m ? `${h} h ${m} min` : `${h} h`) : rest ? `${m} min ${rest} s` : `${m} min`;
  };
  const clock = (s) => {
    const two = (n) => String(n).padStart(2, "0");
    const whole = Math.floor(s);
    const text = `${two(Math.floor(whole / 3600))}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
    return s < 60 && s !== whole ? `${text}${s.toFixed(2).slice(s < 10 ? 1 : 2)}` : text;
  };
  const amount = (x) => (x == null ? "–" : x === 0 ? "0" : x < 0.01 ? "< 0.01" : x < 1000 ? digits(x) : Math.round(x).toLocaleString("en"));
  const percentile = (p) => `${Number(p.toPrecision(p > 99.9 ? 6 : p > 99 ? 5 : 4))} %`;

  // --- What is shown ---
  const shown = { variants: data.variants.map(() => true), services: data.services.map(() => true), waits: [true, true, true, true] };
  const sections = []; // every chart section that was built: { panels, draw, table }
  const overTime = []; // the panels over time, which share one zoom
  let window_ = null; // the zoom: [from, to] in seconds, or null for the whole run
  const longest = Math.max(...data.variants.map((v) => v.end));
  const worst = (() => {
    const starved = data.services.map((_, at) => Math.max(0, ...data.variants.map((v) => {
      const own = v.services[at];
      return own ? own.episodes.reduce((sum, [a, b]) => sum + b - a, 0) : 0;
    })) * (data.services[at].protocol ? 1e6 : 1));
    const most = starved.indexOf(Math.max(...starved));
    return starved[most] > 0 ? most : Math.max(0, data.services.findIndex((s) => s.protocol));
  })();
  let chosen = worst; // the service of the chart of waits

  // --- One plot ---
  const PAPER = 320; // pixels: half of a page's width, which the layout on the screen does not know
  let onPaper = false;
  const axes = (x, y) => [
    { stroke: css("--ink"), grid: { stroke: css("--grid"), width: 1 }, ticks: { stroke: css("--grid") }, font: "12px system-ui", ...x },
    { stroke: css("--ink"), grid: { stroke: css("--grid"), width: 1 }, ticks: { stroke: css("--grid") }, font: "12px system-ui", size: 66, ...y },
  ];
  const TIME_STEPS = [0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
  const LOG_TIMES = [1e3, 1e4, 1e5, 1e6, 1e7, 6e7, 6e8, 3.6e9, 3.6e10];
  const logTimes = { filter: (u, splits) => splits, splits: (u, i, low, high) => LOG_TIMES.filter((t) => t >= low * 0.99 && t <= high * 1.01), values: (u, all) => all.map((t) => (t === FLOOR ? "≤ 1 ms" : span(t))) };
  const top = (highest) => LOG_TIMES.find((t) => t >= highest) ?? highest * 2;
  const even = (highest) => {
    const power = 10 ** Math.floor(Math.log10(highest || 1));
    return [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((n) => n * power).find((n) => n >= highest * 1.02) ?? highest;
  };

  // The pointer is shown in all charts. A drag is for the one under it: told to the others, each would zoom all.
  const shared = (event) => event === "mousemove" || event === "mouseleave";

  /// A plot in `panel`. `spec`: { x, xs: scale and axis of x, series: [{label, values, raw, colour, dash, fill, format}], y, hooks, label }.
  function plot(panel, spec) {
    const { holder, read } = panel;
    const opts = {
      width: onPaper ? PAPER : Math.max(240, holder.clientWidth), height: spec.height ?? 280,
      legend: { show: false }, padding: [10, 28, 0, 0],
      scales: { x: spec.xScale, y: spec.yScale },
      axes: axes(spec.xAxis, spec.yAxis),
      cursor: { sync: spec.sync ? { key: spec.sync, scales: ["x", null], filters: { sub: shared } } : undefined, drag: { x: spec.zooms ?? false, y: false, setScale: false }, points: { size: 6 }, focus: { prox: -1 } },
      series: [{}, ...spec.series.map((s) => ({
        label: s.label, stroke: s.colour, width: s.width ?? 2, dash: s.dash, fill: s.fill, spanGaps: false, points: { show: s.points ?? false, size: 5, fill: s.colour }, paths: s.paths,
      }))],
      bands: spec.bands,
      hooks: {
        drawClear: spec.under ? [spec.under] : [],
        draw: [(u) => { Object.assign(panel.box.dataset, { low: u.scales.x.min, high: u.scales.x.max }); }, ...(spec.over ? [spec.over] : [])],
        setCursor: [(u) => {
          const at = u.cursor.idx;
          read.replaceChildren();
          if (at == null) { read.textContent = spec.idle; return; }
          read.append(element("b", {}, spec.moment(at)));
          spec.series.forEach((s) => {
            if (s.quiet) return;
            const swatch = element("i", { class: `swatch${s.dash ? " dashed" : ""}` });
            swatch.style.background = s.colour;
            swatch.style.setProperty("--c", s.colour);
            read.append(element("span", {}, swatch, `${s.label} ${s.format(s.raw[at])}`));
          });
        }],
        setSelect: [(u) => {
          if (u.select.width > 5) zoom([u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")]);
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        }],
      },
    };
    // Or it would go on following the pointer.
    panel.plot?.destroy();
    holder.replaceChildren();
    read.textContent = spec.idle;
    const u = new uPlot(opts, [spec.x, ...spec.series.map((s) => s.values)], holder);
    u.over.addEventListener("dblclick", () => zoom(null));
    panel.plot = u;
    panel.spec = spec;
  }

  /// The arrow keys move the pointer from value to value; + and - look closer, Escape shows all.
  function keys(panel) {
    panel.holder.addEventListener("keydown", (event) => {
      const u = panel.plot;
      if (!u) return;
      const [count, at] = [u.data[0].length, u.cursor.idx];
      const by = event.shiftKey ? 10 : 1;
      const go = { ArrowRight: (at ?? -1) + by, ArrowLeft: (at ?? count) - by, Home: 0, End: count - 1 }[event.key];
      if (go !== undefined) {
        const to = Math.max(0, Math.min(count - 1, go));
        u.setCursor({ left: u.valToPos(u.data[0][to], "x"), top: u.over.clientHeight / 2 });
      } else if (event.key === "Escape") {
        u.setCursor({ left: -10, top: -10 });
        zoom(null);
      } else if ((event.key === "+" || event.key === "-") && panel.spec.zooms) {
        const [a, b] = window_ ?? [0, longest];
        const middle = at == null ? (a + b) / 2 : u.data[0][at];
        const half = ((b - a) / 2) * (event.key === "+" ? 0.5 : 2);
        zoom(2 * half >= longest ? null : [Math.max(0, middle - half), Math.min(longest, middle + half)]);
      } else return;
      event.preventDefault();
    });
  }

  function zoom(to) {
    window_ = to;
    document.getElementById("reset").hidden = !to;
    sections.forEach((s) => s.zooms && s.draw());
  }

  // --- Sections: a panel for each variant ---
  function section(id, { draw, table, legend, zooms, single }) {
    const root = document.getElementById(id);
    if (!root) return;
    const holderOf = root.querySelector(".panels");
    const panels = (single ? [{ name: "" }] : data.variants).map((variant, at) => {
      const holder = element("div", { class: "plot", tabindex: "0", role: "img" });
      const read = element("p", { class: "read", "aria-live": "polite" });
      const box = element("div", { class: "panel", ...(single ? {} : { "data-variant": at }) }, ...(single ? [] : [element("h3", {}, variant.name)]), holder, read);
      holderOf.append(box);
      const panel = { at, variant, box, holder, read };
      holder.setAttribute("aria-label", `${root.querySelector("h2").textContent}${single ? "" : `, ${variant.name}`}: a chart; arrow keys read its values, the table below has all of them`);
      keys(panel);
      return panel;
    });
    const made = { id, root, panels, zooms, draw: () => draw(panels.filter((p) => single || shown.variants[p.at])) };
    sections.push(made);
    if (zooms) overTime.push(...panels);
    if (legend) legend(root.querySelector(".legend"), made);
    const details = root.querySelector("details.numbers");
    const fill = () => details.open && details.querySelector("div").replaceChildren(tableOf(table(), root.querySelector("h2").textContent));
    details.addEventListener("toggle", fill);
    const drawOnly = made.draw;
    made.draw = () => { drawOnly(); fill(); };
    made.draw();
    return made;
  }

  function tableOf({ head, rows }, title) {
    const cells = (tag, row) => row.map((cell, at) => element(at === 0 ? "th" : tag, at === 0 ? { scope: tag === "th" ? "col" : "row" } : tag === "th" ? { scope: "col" } : {}, String(cell)));
    return element("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": `${title}, numbers` },
      element("table", {}, element("thead", {}, element("tr", {}, ...cells("th", head))), element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells("td", row))))));
  }

  const shownVariants = () => data.variants.filter((_, at) => shown.variants[at]);
  const shownServices = () => data.services.map((s, at) => ({ ...s, at })).filter((s) => shown.services[s.at]);
  const several = data.variants.length > 1;
  const of = (variant, text) => (several ? `${variant.name}: ${text}` : text);

  function serviceLegend(root) {
    data.services.forEach((service, at) => {
      const swatch = element("i", { class: `swatch${round(at) ? " dashed" : ""}` });
      swatch.style.background = colour(at);
      swatch.style.setProperty("--c", colour(at));
      const button = element("button", { type: "button", "aria-pressed": "true", "data-service": at }, swatch, service.name);
      button.addEventListener("click", () => {
        shown.services[at] = !shown.services[at];
        document.querySelectorAll(`button[data-service="${at}"]`).forEach((b) => b.setAttribute("aria-pressed", shown.services[at]));
        sections.forEach((s) => s.draw());
      });
      root.append(button);
    });
  }

  // --- The charts ---
  const LEFT = data.percentiles.map((p) => 1 / (1 - p / 100));
  const lifted = (values) => values.map((v) => (v == null ? null : Math.max(v, FLOOR)));
  const dash = (at) => (round(at) ? [7, 4] : undefined);
  const highestOf = (lists) => lists.reduce((most, list) => list.reduce((m, v) => (v != null && v > m ? v : m), most), 0);

  section("percentiles", {
    legend: serviceLegend,
    draw: (panels) => {
      const services = shownServices();
      const highest = highestOf(panels.flatMap((p) => services.map((s) => p.variant.services[s.at]?.percentiles ?? [])));
      panels.forEach((panel) => plot(panel, {
        x: LEFT, xScale: { time: false, distr: 3, range: [1, 1e4] },
        xAxis: { filter: (u, splits) => splits, splits: () => [1, 2, 10, 100, 1e3, 1e4], values: (u, all) => all.map((x) => ({ 1: "0 %", 2: "50 %", 10: "90 %", 100: "99 %", 1e3: "99.9 %", 1e4: "99.99 %" })[x]) },
        yScale: { distr: 3, range: [FLOOR, top(highest)] }, yAxis: logTimes, sync: "percentiles",
        series: services.filter((s) => panel.variant.services[s.at]).map((s) => {
          const raw = panel.variant.services[s.at].percentiles;
          return { label: s.name, raw, values: lifted(raw), colour: colour(s.at), dash: dash(s.at), format: span };
        }),
        moment: (at) => percentile(data.percentiles[at]), idle: "Point at the chart, or use the arrow keys, to read values.",
      }));
    },
    table: () => ({
      head: ["percentile", ...shownVariants().flatMap((v) => shownServices().map((s) => of(v, s.name)))],
      rows: data.percentiles.map((p, at) => [percentile(p), ...shownVariants().flatMap((v) => shownServices().map((s) => span(v.services[s.at]?.percentiles[at])))]),
    }),
  });

  const timeAxis = (u, i, low, high, space) => {
    const room = Math.max(2, Math.floor(u.width / 90));
    const step = TIME_STEPS.find((s) => (high - low) / s <= room) ?? 86400;
    const found = [];
    for (let at = Math.ceil(low / step) * step; at <= high; at += step) found.push(at);
    return found;
  };
  const timeScale = () => ({ time: false, range: () => window_ ?? [0, longest] });
  const time = (variant) => ({
    x: variant.from, xScale: timeScale(), xAxis: { splits: timeAxis, values: (u, all) => all.map(clock) }, sync: "time", zooms: true,
    moment: (at) => `${clock(variant.from[at])} to ${clock(variant.to[at])}`, idle: "Point at the chart, or use the arrow keys, to read values; drag to look closer.",
  });
  const stepped = () => uPlot.paths.stepped({ align: 1 });
  const inWindow = (variant, values) => (window_ ? values.filter((_, at) => variant.to[at] > window_[0] && variant.from[at] < window_[1]) : values);
  const timeRows = (columns) => {
    const longestOf = shownVariants().reduce((a, b) => (b.from.length > a.from.length ? b : a), { from: [], to: [] });
    return longestOf.from.map((from, at) => [clock(from), ...columns.map((column) => column(at))]);
  };

  /// Draws the times of a list behind the lines: each from, to and, where there are two shades, which.
  const shade = (spans) => (u) => {
    u.ctx.save();
    const [low, high] = [u.scales.x.min, u.scales.x.max];
    spans.filter(([a, b]) => b > low && a < high).forEach(([a, b, level]) => {
      u.ctx.fillStyle = css(level === 2 ? "--shade-high" : "--shade");
      const left = u.valToPos(Math.max(a, low), "x", true);
      const right = u.valToPos(Math.min(b, high), "x", true);
      u.ctx.fillRect(left, u.bbox.top, Math.max(1, right - left), u.bbox.height);
    });
    u.ctx.restore();
  };
  const whole = (all) => all.map((v) => v.toLocaleString("en"));

  const WAITS = [["median", "p50", 4, undefined], ["99th percentile", "p99", 0, undefined], ["longest", "max", 1, [7, 4]], ["oldest, waiting", "oldest", 3, [2, 3]]];
  section("waits", {
    zooms: true,
    legend: (root, made) => {
      const select = element("select", { "aria-label": "Service" }, ...data.services.map((s, at) => element("option", { value: at, ...(at === chosen ? { selected: "" } : {}) }, s.name)));
      select.addEventListener("change", () => { chosen = Number(select.value); made.draw(); });
      root.append(element("label", {}, "Service ", select));
      WAITS.forEach(([label, , tint, dashes], at) => {
        const swatch = element("i", { class: `swatch${dashes ? " dashed" : ""}` });
        swatch.style.background = colour(tint);
        swatch.style.setProperty("--c", colour(tint));
        const button = element("button", { type: "button", "aria-pressed": "true" }, swatch, label);
        button.addEventListener("click", () => {
          shown.waits[at] = !shown.waits[at];
          button.setAttribute("aria-pressed", shown.waits[at]);
          made.draw();
        });
        root.append(button);
      });
    },
    draw: (panels) => {
      const lines = WAITS.filter((_, at) => shown.waits[at]);
      const highest = highestOf(panels.flatMap((p) => lines.map(([, key]) => inWindow(p.variant, p.variant.services[chosen]?.[key] ?? []))));
      panels.forEach((panel) => {
        const own = panel.variant.services[chosen];
        plot(panel, {
          ...time(panel.variant), yScale: { distr: 3, range: [FLOOR, top(highest)] }, yAxis: logTimes,
          ...(own?.episodes_more ? { idle: `Only the first ${own.episodes.length} starved times are shaded; ${own.episodes_more} more came later.` } : {}),
          series: (own ? lines : []).map(([label, key, tint, dashes]) => ({ label, raw: own[key], values: lifted(own[key]), colour: colour(tint), dash: dashes, format: span, points: own[key].filter((v) => v != null).length < 40 })),
          under: shade(own ? own.episodes : []),
        });
      });
    },
    table: () => ({
      head: ["from", ...shownVariants().flatMap((v) => [...WAITS.map(([label]) => of(v, label)), of(v, "mean"), of(v, "arrivals"), of(v, "served"), of(v, "gave up"), of(v, "starved")])],
      rows: timeRows(shownVariants().flatMap((v) => {
        const own = v.services[chosen];
        const starved = (at) => own?.episodes.some(([a, b]) => b > v.from[at] && a < v.to[at]);
        return [...WAITS.map(([, key]) => (at) => span(own?.[key][at])), (at) => span(own?.mean[at]), ...["arrivals", "served", "gave_up"].map((key) => (at) => own?.[key][at] ?? "–"), (at) => (starved(at) ? "yes" : "")];
      })),
    }),
  });

  section("threads", {
    zooms: true, legend: serviceLegend,
    draw: (panels) => {
      const pool = Math.max(1, ...panels.map((p) => Math.max(p.variant.pool, ...p.variant.live)));
      const highest = Math.min(1.25 * pool, Math.max(pool, ...panels.map((p) => p.variant.ceilings ?? 0)));
      panels.forEach((panel) => {
        const { variant } = panel;
        const services = shownServices().filter((s) => variant.services[s.at]);
        let below = variant.from.map(() => 0);
        const areas = services.map((s) => {
          const raw = variant.services[s.at].busy;
          below = below.map((sum, at) => sum + raw[at]);
          const tint = colour(s.at);
          return { label: s.name, raw, values: below, colour: tint, width: 1, fill: tint + (round(s.at) ? "77" : "cc"), format: amount, paths: stepped() };
        }).reverse();
        const level = (label, value, dashes) => ({ label, raw: variant.from.map(() => value), values: variant.from.map(() => value), colour: css("--ink"), dash: dashes, width: 2, format: amount });
        const lines = [level(variant.nodes > 1 ? `threads of all ${variant.nodes} nodes' pools` : "threads of the pool", variant.pool)];
        if (variant.ceiling != null) lines.push(level("one heavy queue at most", variant.ceiling, [9, 5]));
        if (variant.ceilings != null) lines.push(level("all heavy queues at most", variant.ceilings, [2, 4]));
        lines.push({ label: "threads alive", raw: variant.live, values: variant.live, colour: css("--faint"), dash: [1, 2], width: 1, format: amount, paths: stepped() });
        plot(panel, { ...time(variant), yScale: { range: [0, even(highest)] }, yAxis: {}, series: [...areas, ...lines], bands: areas.slice(1).map((_, at) => ({ series: [at + 1, at + 2] })) });
      });
    },
    table: () => ({
      head: ["from", ...shownVariants().flatMap((v) => [...shownServices().map((s) => of(v, s.name)), of(v, "threads alive")])],
      rows: timeRows(shownVariants().flatMap((v) => [...shownServices().map((s) => (at) => amount(v.services[s.at]?.busy[at])), (at) => v.live[at] ?? "–"])),
    }),
  });

  section("depths", {
    zooms: true, legend: serviceLegend,
    draw: (panels) => {
      const services = shownServices();
      const highest = highestOf(panels.flatMap((p) => services.map((s) => inWindow(p.variant, p.variant.services[s.at]?.waiting ?? []))));
      panels.forEach((panel) => plot(panel, {
        ...time(panel.variant), yScale: { range: [0, even(highest)] }, yAxis: { values: (u, all) => all.map((v) => v.toLocaleString("en")) },
        series: services.filter((s) => panel.variant.services[s.at]).map((s) => {
          const raw = panel.variant.services[s.at].waiting;
          return { label: s.name, raw, values: raw, colour: colour(s.at), dash: dash(s.at), format: amount, paths: stepped() };
        }),
      }));
    },
    table: () => ({
      head: ["from", ...shownVariants().flatMap((v) => shownServices().map((s) => of(v, s.name)))],
      rows: timeRows(shownVariants().flatMap((v) => shownServices().map((s) => (at) => amount(v.services[s.at]?.waiting[at])))),
    }),
  });

  // --- The limits beside the pool: curves with moments of their own, under the same zoom ---
  const MB = 2 ** 20;
  const megabytes = (b) => (b == null ? "–" : `${amount(b / MB)} MB`);
  const count = (n) => (n == null ? "–" : n.toLocaleString("en"));
  const CURVES = {
    "store-threads": { of: "store", format: count, lines: [["threads in use", "in_use", 0]], level: "Max Threads", stepped: true },
    "store-waiting": { of: "store", format: count, lines: [["calls in line", "line", 0], ["inbound mail", "inbound", 2], ["outbound mail", "outbound", 1, [7, 4]]], stepped: true },
    "domain-memory": { of: "domains", format: megabytes, unit: MB, lines: [["Available Bytes", "available", 0], ["Working Set", "working_set", 1, [7, 4]]] },
    "transport-connections": { of: "transport", format: count, lines: [["open", "connections", 0], ["waiting in line", "in_line", 1, [7, 4]]], bounds: "connection_bounds", stepped: true },
    "transport-refusals": { of: "transport", format: (n) => (n == null ? "–" : `${amount(n)} a minute`), lines: [["connections refused", "connections_refused", 1], ["messages refused", "messages_refused", 3, [7, 4]]], stepped: true },
    "transport-threads": { of: "transport", format: count, lines: [["deliveries to mailboxes", "to_mailboxes", 2], ["submissions", "submitting", 0, [7, 4]], ["outbound connections", "outbound", 3, [2, 3]]], bounds: "thread_bounds", stepped: true },
    "transport-queues": { of: "transport", format: count, lines: [["on queues", "queued", 0], ["files and submissions waiting", "outside", 1, [7, 4]]], stepped: true },
    "transport-drive": { of: "transport", format: (p) => (p == null ? "–" : `${p} %`), lines: [["used", "drive", 0]], bounds: "drive_marks", most: 100, stepped: true },
    "domain-entries": { of: "domains", format: count, lines: [["live", "live", 2], ["dead", "dead", 3]], level: "swept at" },
  };
  Object.entries(CURVES).forEach(([id, all]) => {
    // What never happened in any variant would be a line along the axis.
    const isThere = (key) => data.variants.some((v) => v[all.of]?.[key].some(Boolean));
    const kind = { ...all, lines: all.lines.filter(([, key], at) => all.of !== "transport" || at === 0 || isThere(key)) };
    const unit = kind.unit ?? 1;
    const off = kind.lines.map(() => false);
    const lines = () => kind.lines.filter((_, at) => !off[at]);
    const bounds = (own) => (kind.bounds ? own[kind.bounds] : kind.level && own.level != null ? [[kind.level, own.level]] : []);
    const within = (own, values) => (window_ ? values.filter((_, at) => own.at[at] >= window_[0] && own.at[at] <= window_[1]) : values);
    section(id, {
      zooms: true,
      legend: (root, made) => kind.lines.forEach(([label, , tint, dashes], at) => {
        const swatch = element("i", { class: `swatch${dashes ? " dashed" : ""}` });
        swatch.style.background = colour(tint);
        swatch.style.setProperty("--c", colour(tint));
        const button = element("button", { type: "button", "aria-pressed": "true" }, swatch, label);
        button.addEventListener("click", () => {
          off[at] = !off[at];
          button.setAttribute("aria-pressed", !off[at]);
          made.draw();
        });
        root.append(button);
      }),
      draw: (panels) => {
        const owns = panels.map((p) => p.variant[kind.of]).filter(Boolean);
        const highest = highestOf(owns.flatMap((own) => [...lines().map(([, key]) => within(own, own[key])), bounds(own).map(([, value]) => value)])) / unit;
        panels.forEach((panel) => {
          const own = panel.variant[kind.of];
          const series = own ? lines().map(([label, key, tint, dashes]) => ({ label, raw: own[key], values: own[key].map((v) => (v == null ? null : v / unit)), colour: colour(tint), dash: dashes, format: kind.format, ...(kind.stepped ? { paths: stepped() } : {}) })) : [];
          (own ? bounds(own) : []).forEach(([label, value], at) => {
            const level = own.at.map(() => value);
            series.push({ label, raw: level, values: level, colour: css("--ink"), dash: [[9, 5], [2, 4], [12, 3, 2, 3]][at], width: 2, format: kind.format });
          });
          plot(panel, {
            ...time(panel.variant), x: own?.at ?? [0, panel.variant.end], moment: (at) => clock(own?.at[at] ?? 0),
            ...(own?.away_more ? { idle: "The last times away are not shaded: the log keeps its first entries." } : {}),
            ...(own?.pressure_more ? { idle: "The last changes of back pressure are not shaded: the log keeps its first entries." } : {}),
            yScale: { range: [0, kind.most ?? even(highest)] }, yAxis: { values: (u, all) => (unit === MB ? all.map((v) => `${count(v)} MB`) : whole(all)) },
            series, under: shade(own?.away ?? own?.pressure ?? []),
          });
        });
      },
      table: () => {
        const owns = shownVariants().filter((v) => v[kind.of]).map((v) => ({ v, own: v[kind.of] }));
        const moments = owns.reduce((most, { own }) => (own.at.length > most.length ? own.at : most), []);
        const state = (own, s) => {
          const span = (own.away ?? own.pressure).find(([a, b]) => a <= s && s < b);
          return span ? (own.away ? "yes" : ["", "Medium", "High"][span[2]]) : "";
        };
        return {
          head: ["at", ...owns.flatMap(({ v }) => [...kind.lines.map(([label]) => of(v, label)), of(v, kind.of === "transport" ? "back pressure" : "away")])],
          rows: moments.map((s, at) => [clock(s), ...owns.flatMap(({ own }) => [...kind.lines.map(([, key]) => kind.format(own[key][at])), own.at[at] != null ? state(own, own.at[at]) : ""])]),
        };
      },
    });
  });

  // --- Means with their intervals ---
  let figure = 0;
  const valueOf = (name, v) => (name.endsWith("_s") ? span(v * 1e6) : name.endsWith("_percent") ? `${digits(v)} %` : amount(v));
  section("estimates", {
    single: true,
    legend: (root, made) => {
      const select = element("select", { "aria-label": "Figure" }, ...data.estimates.map((f, at) => element("option", { value: at }, f.label)));
      select.addEventListener("change", () => { figure = Number(select.value); made.draw(); });
      root.append(element("label", {}, "Figure ", select));
      data.variants.forEach((v, at) => {
        const swatch = element("i", { class: "swatch" });
        swatch.style.background = colour(at);
        root.append(element("span", { "data-variant": at }, swatch, ` ${v.name} `));
      });
    },
    draw: ([panel]) => {
      const { of: values, name } = data.estimates[figure];
      const services = shownServices();
      const variants = data.variants.map((v, at) => ({ v, at })).filter(({ at }) => shown.variants[at]);
      const place = (row, at) => row + 0.5 + (variants.length > 1 ? (at / (variants.length - 1) - 0.5) * 0.5 : 0);
      const x = services.flatMap((_, row) => variants.map((_, at) => place(row, at)));
      const found = (s, at) => values[s.at]?.[at];
      const list = (own) => services.flatMap((s) => variants.map(({ at }) => (at === own ? found(s, at)?.[0] ?? null : null)));
      const highest = Math.max(1e-9, ...services.flatMap((s) => variants.map(({ at }) => (found(s, at) ? found(s, at)[0] + found(s, at)[1] : 0))));
      plot(panel, {
        x, xScale: { time: false, range: [0, Math.max(1, services.length)] }, height: 360,
        xAxis: { splits: () => services.map((_, row) => row + 0.5), values: () => services.map((s) => s.name), rotate: -35, size: 125, grid: { show: false } },
        yScale: { range: [0, even(highest)] }, yAxis: { values: (u, all) => all.map((v) => valueOf(name, v)) },
        series: variants.map(({ v, at }) => ({
          label: v.name, values: list(at), colour: colour(at), width: 0, points: true, paths: () => null,
          raw: services.flatMap((s) => variants.map(() => found(s, at))), format: (e) => (e ? `${valueOf(name, e[0])} ± ${valueOf(name, e[1])}` : "–"),
        })),
        over: (u) => {
          u.ctx.save();
          u.ctx.lineWidth = 2 * devicePixelRatio;
          services.forEach((s, row) => variants.forEach(({ at }, order) => {
            const estimate = found(s, at);
            if (!estimate) return;
            const [mean, half] = estimate;
            const middle = u.valToPos(place(row, order), "x", true);
            const [a, b] = [u.valToPos(Math.max(0, mean - half), "y", true), u.valToPos(mean + half, "y", true)];
            u.ctx.strokeStyle = colour(at);
            u.ctx.beginPath();
            u.ctx.moveTo(middle, a);
            u.ctx.lineTo(middle, b);
            [a, b].forEach((end) => { u.ctx.moveTo(middle - 5 * devicePixelRatio, end); u.ctx.lineTo(middle + 5 * devicePixelRatio, end); });
            u.ctx.stroke();
          }));
          u.ctx.restore();
        },
        moment: (at) => services[Math.floor(x[at])].name, idle: "Point at the chart, or use the arrow keys, to read values.",
      });
    },
    table: () => ({
      head: ["service", ...data.estimates.flatMap((f) => shownVariants().map((v) => `${f.label}, ${v.name}`))],
      rows: shownServices().map((s) => [s.name, ...data.estimates.flatMap((f) => data.variants.map((_, at) => at).filter((at) => shown.variants[at]).map((at) => {
        const e = f.of[s.at]?.[at];
        return e ? `${valueOf(f.name, e[0])} ± ${valueOf(f.name, e[1])}` : "–";
      }))]),
    }),
  });

  // --- The cluster's time line: no plot, but lanes on the same axis ---
  const lanes = document.getElementById("lanes");
  if (lanes) {
    const boxes = data.variants.map((variant, at) => {
      const box = element("div", { class: "panel", "data-variant": at }, element("h3", {}, variant.name), element("div"));
      lanes.querySelector(".panels").append(box);
      return box;
    });
    const details = lanes.querySelector("details");
    const draw = () => {
      const [low, high] = window_ ?? [0, longest];
      const share = (s) => ((Math.min(Math.max(s, low), high) - low) / (high - low)) * 100;
      boxes.forEach((box, at) => {
        const rows = data.variants[at].lanes.map((lane) => {
          const track = element("div", { class: "track" });
          lane.spans.filter((s) => s.to_s > low && s.from_s < high).forEach((s) => {
            const words = `${lane.name} ${s.state}${s.node ? ` on ${s.node}` : ""}, ${clock(s.from_s)} to ${clock(s.to_s)}`;
            const mark = element("span", { class: `s-${s.state}`, title: words }, share(s.to_s) - share(s.from_s) > 6 ? s.node ?? s.state : "");
            mark.style.left = `${share(s.from_s)}%`;
            mark.style.width = `max(1px, ${share(s.to_s) - share(s.from_s)}%)`;
            track.append(mark);
          });
          lane.unanswered_s.filter((s) => s >= low && s <= high).forEach((s) => {
            const tick = element("span", { class: "tick", title: `${lane.name}: a probe was due at ${clock(s)} and the last was unanswered` });
            tick.style.left = `${share(s)}%`;
            track.append(tick);
          });
          return element("div", { class: `lane ${lane.kind}` }, element("span", { class: "name" }, lane.name), track);
        });
        const marks = [0, 0.25, 0.5, 0.75, 1].map((part) => element("span", {}, clock(low + (high - low) * part)));
        box.lastChild.replaceChildren(...rows, element("div", { class: "lane-axis", "aria-hidden": "true" }, ...marks));
      });
      if (details.open) {
        const rows = data.variants.flatMap((v, at) => (shown.variants[at] ? v.lanes.flatMap((lane) => lane.spans.map((s) => [of(v, lane.name), s.state, s.node ?? "", clock(s.from_s), clock(s.to_s)])) : []));
        details.querySelector("div").replaceChildren(tableOf({ head: ["what", "state", "node", "from", "to"], rows }, "Cluster time line"));
      }
    };
    details.addEventListener("toggle", draw);
    sections.push({ zooms: true, draw, panels: [] });
    draw();
  }

  // --- Variants on and off, theme, size, paper ---
  document.querySelectorAll("[data-shows]").forEach((box) => box.addEventListener("change", () => {
    const at = Number(box.dataset.shows);
    shown.variants[at] = box.checked;
    document.querySelectorAll(`[data-variant="${at}"]`).forEach((e) => { e.hidden = !box.checked; });
    sections.forEach((s) => s.draw());
  }));
  document.getElementById("reset").addEventListener("click", () => zoom(null));
  const redraw = () => sections.forEach((s) => s.draw());
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    root.dataset.theme = dark ? "light" : "dark";
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let width = innerWidth;
  let later;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(later);
    later = setTimeout(redraw, 100);
  });
  let theme;
  addEventListener("beforeprint", () => { onPaper = true; theme = document.documentElement.dataset.theme; document.documentElement.dataset.theme = "light"; redraw(); });
  addEventListener("afterprint", () => {
    onPaper = false;
    if (theme === undefined) delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = theme;
    redraw();
  });
  document.documentElement.dataset.drawn = sections.length;
})();
