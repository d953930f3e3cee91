/** Times in the reader's zone and manner. Without this script they are in UTC, and say so. */

const page = document.documentElement.lang || "en";
/** With the reader's region where it is of the page's language: the day before the month, or after. */
const locale = navigator.languages.find((language) => language.split("-")[0] === page) ?? page;
const format = new Intl.DateTimeFormat(locale, {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});

for (const time of document.querySelectorAll("time[data-moment]")) {
  time.title = time.textContent;
  time.textContent = format.format(new Date(time.dateTime));
}
