/**
 * Controls that do nothing without their page's module are disabled in its HTML until the module listens, so that no
 * click before that is lost. Call it when everything is bound; what a module itself disables stays so.
 */
export function takeInput() {
  for (const control of document.querySelectorAll("[data-until-ready]")) control.disabled = false;
}
