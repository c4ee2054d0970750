/* What scripts add to pages that are complete without them: values under the pointer, keys, copying, ages. */
(() => {
  "use strict";

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true"); // the same figures stand in the table beside each chart

  const showTip = (event, text) => {
    tip.textContent = text;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = Math.min(event.clientX + 12, innerWidth - box.width - 8);
    const above = event.clientY - box.height - 12;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${above < 8 ? event.clientY + 16 : above}px`;
  };

  /* A chart is an <img>. Once it is in view its drawing is fetched and put in its place: same bytes, and its marks,
     labelled by the chart library, can be pointed at. */
  const enliven = async (image) => {
    const picture = image.closest("picture") ?? image;
    // A lazy image may not have chosen its source yet.
    const source = [...picture.querySelectorAll("source")].find((one) => matchMedia(one.media).matches);
    const answer = await fetch(source ? source.srcset : image.src);
    if (!answer.ok) return;
    // Its own style is for the image; in the page the page's colours hold.
    const text = (await answer.text()).replace(/<style>[^<]*<\/style>/g, "");
    const drawing = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    if (drawing.nodeName !== "svg") return;
    drawing.querySelectorAll("style, script").forEach((node) => node.remove());
    drawing.setAttribute("role", "img");
    drawing.setAttribute("aria-label", image.alt);
    drawing.removeAttribute("width");
    drawing.removeAttribute("height");
    const svg = document.importNode(drawing, true);
    svg.addEventListener("pointermove", (event) => {
      const mark = event.target.closest("[data-tip]");
      if (mark) showTip(event, mark.dataset.tip);
      else tip.hidden = true;
    });
    svg.addEventListener("pointerleave", () => (tip.hidden = true));
    picture.replaceWith(svg);
  };

  const charts = document.querySelectorAll("figure.chart img");
  if (charts.length) {
    document.body.append(tip);
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries.filter((one) => one.isIntersecting)) {
        seen.unobserve(entry.target);
        enliven(entry.target).catch(() => {}); // the image stays as it is
      }
    });
    charts.forEach((image) => seen.observe(image));
  }

  const age = (then) => {
    const seconds = Math.max(0, Math.round((Date.now() - then) / 1000));
    const units = [["second", 60], ["minute", 60], ["hour", 24], ["day", Infinity]];
    let amount = seconds;
    for (const [unit, size] of units) {
      if (amount < size) return `${amount} ${unit}${amount === 1 ? "" : "s"} ago`;
      amount = Math.floor(amount / size);
    }
    return "";
  };

  const updated = document.querySelector("time[data-updated]");
  if (updated) {
    const then = Date.parse(updated.dateTime);
    const exact = updated.textContent;
    const tell = () => (updated.textContent = `${exact}, ${age(then)}`);
    tell();
    setInterval(tell, 10000);
  }

  /* A page that waits for a first request looks for it, as long as somebody looks at the page, for ten minutes. */
  if (document.querySelector("[data-waits]")) {
    const until = Date.now() + 600_000;
    const look = async () => {
      if (document.visibilityState === "visible") {
        const answer = await fetch(location.href);
        if (answer.ok && !(await answer.text()).includes("data-waits")) return location.reload();
      }
      return again();
    };
    const again = () => Date.now() < until && setTimeout(() => look().catch(again), 1000);
    again();
  }

  document.querySelectorAll("[data-copy]").forEach((block) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const text = block.querySelector("code").textContent;
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    if (navigator.clipboard) block.append(button);
  });

  document.querySelectorAll("select[data-goes]").forEach((select) => {
    select.addEventListener("change", () => select.form.requestSubmit());
  });

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    if (event.key === "/") {
      const search = document.getElementById("search");
      if (search) {
        event.preventDefault();
        search.focus();
        search.select();
      }
      return;
    }
    const link = document.querySelector(`a[aria-keyshortcuts="${CSS.escape(event.key)}"]`);
    if (link) link.click();
  });
})();
