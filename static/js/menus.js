/** Menus, which close like menus: by a click elsewhere, or by Escape. */

/** The viewer's. @param {HTMLElement} bar holds details.menu elements and [data-further], which only a narrow window shows as a menu */
export function bindBar(bar) {
  bindMenus([...[...bar.querySelectorAll("details.menu")].map(detailsMenu), furtherMenu(bar.querySelector("[data-further]"))]);
}

/** @param {{element: HTMLElement, opener: HTMLElement, isOpen: boolean, close: () => void}[]} menus */
export function bindMenus(menus) {
  document.addEventListener("click", ({ target }) => {
    for (const menu of menus) if (menu.isOpen && !menu.element.contains(target)) menu.close();
  });
  document.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    for (const menu of menus.filter(({ isOpen }) => isOpen)) {
      menu.close();
      menu.opener.focus();
    }
  });
}

/** @param {HTMLDetailsElement} element */
export function detailsMenu(element) {
  return {
    element,
    opener: element.querySelector("summary"),
    get isOpen() {
      return element.open;
    },
    close: () => (element.open = false),
  };
}

/** Closes by a choice, too. Not a details element: a wide window shows what is in it without a menu. */
function furtherMenu(element) {
  const opener = element.querySelector("[data-further-toggle]");
  const open = (isOpen) => opener.setAttribute("aria-expanded", String(isOpen));
  const menu = {
    element,
    opener,
    get isOpen() {
      return opener.ariaExpanded === "true";
    },
    close: () => open(false),
  };
  opener.addEventListener("click", () => open(!menu.isOpen));
  element.querySelector(".further-items").addEventListener("click", ({ target }) => {
    if (!menu.isOpen || !target.closest("button, a")) return;
    menu.close();
    opener.focus();
  });
  return menu;
}
