/** Gets sound from a microphone or a browser tab, and says in a sentence why there is none. */
import { gettext } from "./i18n.js";

const DEVICE_KEY = "parlance.microphone";
export const TAB = "tab";

/** What the browser may do to the sound before we get it. */
const PRESETS = {
  // One person close by: the loudspeakers' echo must go.
  laptop: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  // Many people far away: suppression takes distant voices for noise.
  room: { echoCancellation: false, noiseSuppression: false, autoGainControl: true },
};

const REASONS = {
  NotAllowedError: gettext("The browser was not allowed to listen. Allow the microphone for this page (the icon beside the address), then start again."),
  NotFoundError: gettext("No microphone was found. Plug one in, then start again."),
  NotReadableError: gettext("The microphone is in use by another program, or the system withholds it."),
  OverconstrainedError: gettext("The chosen microphone is gone. Choose another one."),
  AbortError: gettext("The system stopped the microphone. Start again."),
};
const INSECURE = gettext("Browsers give the microphone only to secure pages: open this page by https://, or on this machine by http://localhost.");
const NO_SOUND_SHARED = gettext("No sound was shared. Choose a tab and tick “Also share tab audio”.");

/** Troubles of one device, which another may not have. */
const OF_DEVICE = ["NotFoundError", "NotReadableError", "OverconstrainedError", "AbortError"];

/** Nothing to listen to; the message is for the host. */
export class SoundError extends Error {
  /** Whether another microphone may help. */
  get isOfDevice() {
    return OF_DEVICE.includes(this.cause?.name);
  }
}

/** The browser does not run the sound: it wants a tap on the page, or has no output. */
export class SuspendedError extends SoundError {}

/** What a browser throws, as what a host can read; other errors are the page's own. */
export function asSoundError(error) {
  if (!(error instanceof DOMException)) return error;
  const sentence = REASONS[error.name] ?? gettext("The browser gave no sound: {reason}", { reason: error.message });
  return new SoundError(sentence, { cause: error });
}

export function canShareTab() {
  return Boolean(navigator.mediaDevices?.getDisplayMedia);
}

/** @returns {string|null} why no microphone can be had at all */
export function obstacle() {
  return window.isSecureContext && navigator.mediaDevices ? null : INSECURE;
}

/**
 * @param {string} source a device id, "" for the system's choice, or TAB
 * @param {"laptop"|"room"} preset
 * @returns {Promise<MediaStream>} rejects with SoundError
 */
export async function openSound(source, preset) {
  const reason = obstacle();
  if (reason !== null) throw new SoundError(reason);
  try {
    return source === TAB ? await openTab() : await openMicrophone(source, preset);
  } catch (error) {
    throw asSoundError(error);
  }
}

/** @returns {Promise<MediaDeviceInfo[]>} without names until the host has allowed the microphone once */
export async function microphones() {
  if (obstacle() !== null) return [];
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId && deviceId !== "default");
}

/** @returns {Promise<boolean>} whether a microphone can be had without a question to the host */
export async function isAllowed() {
  try {
    return (await navigator.permissions.query({ name: "microphone" })).state === "granted";
  } catch (error) {
    // Not every browser knows this question.
    if (!(error instanceof TypeError)) throw error;
    return false;
  }
}

export function rememberedMicrophone() {
  return localStorage.getItem(DEVICE_KEY) ?? "";
}

export function rememberMicrophone(deviceId) {
  localStorage.setItem(DEVICE_KEY, deviceId);
}

function openMicrophone(deviceId, preset) {
  const device = deviceId === "" ? {} : { deviceId: { exact: deviceId } };
  return navigator.mediaDevices.getUserMedia({ audio: { ...PRESETS[preset], ...device } });
}

/** Browsers share a tab's sound only together with its picture, which is stopped at once. */
async function openTab() {
  const stream = await navigator.mediaDevices.getDisplayMedia({
    video: true,
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false, suppressLocalAudioPlayback: false },
  });
  if (stream.getAudioTracks().length === 0) {
    for (const track of stream.getTracks()) track.stop();
    throw new SoundError(NO_SOUND_SHARED);
  }
  return stream;
}
