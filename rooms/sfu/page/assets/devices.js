// Which microphones and loudspeakers there are, in the select elements that name them.

import { el, show } from './dom.js';
import { t } from './language.js';

/** @typedef {'audioinput'|'audiooutput'} Kind */

/**
 * @param {Kind} kind
 * @returns {Promise<MediaDeviceInfo[]>} without the double entries that some browsers list
 */
export async function devices(kind) {
  const all = await navigator.mediaDevices?.enumerateDevices().catch(() => []) ?? [];
  return all.filter((d) => d.kind === kind && d.deviceId && d.deviceId !== 'communications');
}

/**
 * Fills a select with the devices of a kind; hidden (with its label) where there is nothing to choose.
 * @param {HTMLSelectElement} select
 * @param {Kind} kind
 * @param {string} chosen device id
 */
export async function fill(select, kind, chosen) {
  const found = await devices(kind);
  const options = found.map((device, i) => {
    const option = el('option', '', title(device, i));
    option.value = device.deviceId;
    return option;
  });
  if (kind === 'audiooutput' && !found.some((d) => d.deviceId === 'default')) {
    const option = el('option', '', t('defaultDevice'));
    option.value = '';
    options.unshift(option);
  }
  select.replaceChildren(...options);
  select.value = found.some((d) => d.deviceId === chosen) ? chosen : options[0]?.value ?? '';
  const field = select.closest('.field');
  if (field) show(field, found.length > 0);
}

/**
 * @param {MediaDeviceInfo} device
 * @param {number} index
 * @returns {string}
 */
function title(device, index) {
  if (device.deviceId === 'default') {
    const real = device.label.replace(/^[^-]*-\s*/, '');
    return real && real !== device.label ? `${t('defaultDevice')} – ${real}` : t('defaultDevice');
  }
  if (device.label) return device.label;
  return t(device.kind === 'audioinput' ? 'microphoneNumber' : 'speakerNumber', { number: index + 1 });
}
