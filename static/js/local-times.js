/**
 * Times in the reader's zone and manner. Without this script they are in UTC, and say so. A cookie tells the server the
 * zone, for what it writes itself, as in the admin.
 */
const A_YEAR_S = 31_536_000;
const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
const { pathname: base } = new URL("../../", import.meta.url);
// Slashes and names of cities only; as in meetings/web/middleware.py.
document.cookie = `timezone=${timeZone}; path=${base}; max-age=${A_YEAR_S}; SameSite=Lax`;

const page = document.documentElement.lang || "en";
/** With the reader's region where it is of the page's language: the day before the month, or after. */
const locale = navigator.languages.find((language) => language === page || language.split("-")[0] === page) ?? page;
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
