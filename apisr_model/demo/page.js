() => {
  // The comparing sliders follow the mouse alone: give their handles keys, a name and a value, their pictures names.
  const step = (handle, dx) => {
    const box = handle.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    const tell = (type, at, target) =>
      target.dispatchEvent(new MouseEvent(type, { bubbles: true, clientX: at, clientY: y, view: window }));
    tell("mousedown", x, handle);
    tell("mousemove", x + dx, window);
    tell("mouseup", x + dx, window);
  };
  const place = (handle) => {
    const [box, all] = [handle.getBoundingClientRect(), handle.parentElement.getBoundingClientRect()];
    return [box.left + box.width / 2 - all.left, all.width];
  };
  const tellPlace = (handle) => {
    const [at, width] = place(handle);
    handle.setAttribute("aria-valuenow", String(Math.round(Math.min(100, Math.max(0, (100 * at) / width)))));
  };
  const equip = () => {
    for (const picture of document.querySelectorAll('[data-testid="imageslider-image"][alt=""]')) {
      const names = picture.closest(".block").querySelector('[data-testid="block-label"]').textContent.split("|");
      picture.alt = names[picture.classList.contains("fixed") ? 1 : 0].trim();
    }
    for (const handle of document.querySelectorAll('[data-testid="slider"]:not([tabindex])')) {
      handle.tabIndex = 0;
      handle.setAttribute("role", "slider");
      handle.setAttribute("aria-label", "divider between before and after; arrow keys, Home and End move it");
      handle.setAttribute("aria-valuemin", "0");
      handle.setAttribute("aria-valuemax", "100");
      tellPlace(handle);
      new MutationObserver(() => tellPlace(handle)).observe(handle, { attributeFilter: ["style"] });
      handle.addEventListener("keydown", (event) => {
        const [at, width] = place(handle);
        const stride = width / (event.shiftKey ? 5 : 20);
        const way = { ArrowLeft: -stride, ArrowRight: stride, Home: -at, End: width - at }[event.key];
        if (way === undefined) return;
        event.preventDefault();
        step(handle, way);
      });
    }
  };
  new MutationObserver(equip).observe(document.body, { childList: true, subtree: true });
  equip();
}
