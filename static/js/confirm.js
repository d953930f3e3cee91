/** Asks before a form is sent that has a question, or whose pressed button has one, in `data-confirm`. */
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});
