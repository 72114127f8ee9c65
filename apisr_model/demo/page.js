() => {
  // The comparing sliders follow the mouse alone: give their handles the arrow keys, and a name.
  const step = (handle, dx) => {
    const box = handle.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    const tell = (type, at, target) =>
      target.dispatchEvent(new MouseEvent(type, { bubbles: true, clientX: at, clientY: y, view: window }));
    tell("mousedown", x, handle);
    tell("mousemove", x + dx, window);
    tell("mouseup", x + dx, window);
  };
  const equip = () => {
    for (const handle of document.querySelectorAll('[data-testid="slider"]:not([tabindex])')) {
      handle.tabIndex = 0;
      handle.setAttribute("role", "slider");
      handle.setAttribute("aria-label", "divider between before and after; left and right arrow keys move it");
      handle.setAttribute("aria-valuenow", "50");
      handle.addEventListener("keydown", (event) => {
        const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!direction) return;
        event.preventDefault();
        const width = handle.parentElement.getBoundingClientRect().width;
        step(handle, (direction * width) / (event.shiftKey ? 5 : 20));
        const left = handle.getBoundingClientRect().left - handle.parentElement.getBoundingClientRect().left;
        handle.setAttribute("aria-valuenow", String(Math.round((100 * left) / width)));
      });
    }
  };
  new MutationObserver(equip).observe(document.body, { childList: true, subtree: true });
  equip();
}
